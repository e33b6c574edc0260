// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// What pods of one worker send each other over the bridge does not pass its packet
// filter, as where br_netfilter is not loaded: the answer of a Service's backend to a
// pod on the same bridge is not translated back, and fits no connection of the client.
//
// A module is the whole host's and cannot be taken from one container, and this kernel
// may have it built in; its setting is each container's own, and off is what the lack
// of the module is.
var _ = scenario.Register(scenario.Scenario{
	Name:     "bridge_netfilter_off",
	Title:    "bridged packets bypass the packet filter on one worker, as without br_netfilter",
	Expects:  diagnosis.KernelModuleMissing,
	Topology: "two-node",
	Breaks:   []string{"node.bridge-netfilter"},
	MayBreak: []string{"service", "dns", "pod.hairpin"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepOutput(ctx, t, "sysctl net.bridge.bridge-nf-call-iptables", bridgeFilter); err != nil {
			return err
		}
		return onNode(ctx, t, "sysctl", "-w", "net.bridge.bridge-nf-call-iptables=0")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, `[ ! -e `+bridgeFilter+` ] || { sysctl -qp `+bridgeFilter+` && rm `+bridgeFilter+`; }`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"sysctl", "net.bridge.bridge-nf-call-iptables"}),
		}
	},
})

const bridgeFilter = kept + "/bridge-nf-call-iptables"
