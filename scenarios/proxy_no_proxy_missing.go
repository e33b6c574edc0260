// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// flannel was given the site's proxy, and NO_PROXY lacks the cluster's ranges: its
// agent asks the proxy for the API server's Service address, which the proxy does not
// know and refuses. client-go takes HTTPS_PROXY from its environment like every
// program of Go.
//
// The DaemonSet leaves pods alone when it changes, so that one node's agent alone is
// started with it.
var _ = scenario.Register(scenario.Scenario{
	Name:     "proxy_no_proxy_missing",
	Title:    "flannel on one worker asks a proxy for the API server: NO_PROXY lacks the cluster's ranges",
	Expects:  diagnosis.ProxyMisconfigured,
	Topology: "two-node",
	Breaks:   []string{"cni.agent-ready"},
	MayBreak: []string{"cni.agent-stable", "audit.proxy"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		proxy, err := outsideProxy(t, livePort)
		if err != nil {
			return err
		}
		patch := fmt.Sprintf(`{"spec":{"updateStrategy":{"$retainKeys":["type"],"type":"OnDelete"},"template":{"spec":{"containers":[{"name":"kube-flannel","env":[{"name":"HTTPS_PROXY","value":%q},{"name":"NO_PROXY","value":"localhost,127.0.0.1"}]}]}}}}`, proxy)
		if err := patchDaemonSet(ctx, t, "kube-flannel", "kube-flannel-ds", patch); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-flannel", "app=flannel", t.Node)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		const patch = `{"spec":{"updateStrategy":{"type":"RollingUpdate"},"template":{"spec":{"containers":[{"name":"kube-flannel","env":[{"name":"HTTPS_PROXY","$patch":"delete"},{"name":"NO_PROXY","$patch":"delete"}]}]}}}}`
		if err := patchDaemonSet(ctx, t, "kube-flannel", "kube-flannel-ds", patch); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-flannel get daemonset kube-flannel-ds -o yaml",
			"kubectl -n kube-flannel logs -l app=flannel --tail=20",
		}
	},
})
