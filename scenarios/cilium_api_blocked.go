// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Cilium's agent on one worker cannot reach the API server at the ClusterIP it starts
// with: somebody's rule drops it ahead of kube-proxy. The datapath it loaded stays; new
// pods find nobody to ask for an address. The kubelet, which goes to the API server's
// own address, is well.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cilium_api_blocked",
	Title:    "Cilium on one worker cannot reach the API server",
	Expects:  diagnosis.CNIAPIServerUnreachable,
	Topology: "cilium",
	Breaks:   []string{"cni.agent-ready"},
	MayBreak: []string{"cni", "sandbox", "service", "mtu", "dns", "pod"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := apiServerDrop.insert(ctx, t); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-system", "k8s-app=cilium", t.Node)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := apiServerDrop.remove(ctx, t); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return append(lookAtCilium(t), apiServerDrop.look(t)...)
	},
})
