// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"errors"
	"fmt"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The container runtime of one worker goes to registries through a proxy on which
// nothing listens any more, and its sandbox image is not there yet, as on a node that
// has just joined. Pods wait in ContainerCreating for an image nobody asked for.
var _ = scenario.Register(scenario.Scenario{
	Name:     "proxy_dead",
	Title:    "the proxy of one worker's container runtime is dead",
	Expects:  diagnosis.ProxyMisconfigured,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"cni.directories-in-use"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		// A name, so that the proxy is asked for it and no resolver is.
		proxy, err := outsideProxy(t, deadPort)
		if err != nil {
			return err
		}
		err = shell(ctx, t, fmt.Sprintf(`mkdir -p %s && printf '[Service]\nEnvironment=HTTPS_PROXY=%s\n' >%s/%s && systemctl daemon-reload`, containerdUnit, proxy, containerdUnit, proxyDropIn))
		if err != nil {
			return err
		}
		return setSandboxImage(ctx, t, "registry.example/pause:3.10")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := onNode(ctx, t, "rm", "-f", containerdUnit+"/"+proxyDropIn); err != nil {
			return err
		}
		return restoreContainerd(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"systemctl", "show", "-p", "Environment", "containerd"}),
			onVictim(t),
		}
	},
})

const (
	containerdUnit = "/etc/systemd/system/containerd.service.d"
	proxyDropIn    = "http-proxy.conf"
)

// Ports of the world outside the cluster: that of its proxy (fixtures/outside), and
// one beside it on which nothing listens.
const (
	livePort = 3128
	deadPort = 3129
)

// outsideProxy is the URL of a proxy outside the cluster.
func outsideProxy(t scenario.Target, port int) (string, error) {
	if t.Cluster.Outside == nil || len(t.Cluster.Outside.Addrs) == 0 {
		return "", errors.New("the cluster has no world outside of it that could have a proxy")
	}
	return fmt.Sprintf("http://%s:%d", t.Cluster.Outside.Addrs[0], port), nil
}
