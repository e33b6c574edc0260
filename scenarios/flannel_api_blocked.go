// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// flannel's agent on one worker cannot reach the API server at the ClusterIP it
// starts with: somebody's rule drops it ahead of kube-proxy. The kubelet, which
// goes to the API server's own address, is well.
var _ = scenario.Register(scenario.Scenario{
	Name:     "flannel_api_blocked",
	Title:    "flannel on one worker cannot reach the API server",
	Expects:  diagnosis.CNIAPIServerUnreachable,
	Topology: "two-node",
	Breaks:   []string{"cni.agent-ready", "service.kubernetes-service"},
	MayBreak: []string{"cni.agent-stable"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := apiServerDrop.insert(ctx, t); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-flannel", "app=flannel", t.Node)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := apiServerDrop.remove(ctx, t); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-flannel get pods -o wide",
			"kubectl -n kube-flannel logs -l app=flannel --tail=20",
		}
	},
})

var apiServerDrop = packetRule{"raw", "OUTPUT", always("-d 10.96.0.1 -p tcp --dport 443 -j DROP")}
