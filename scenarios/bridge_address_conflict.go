// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The bridge of one worker has the address of another range: left over from another
// CNI, or from before the node got a new pod range. The bridge plugin refuses to
// touch it.
var _ = scenario.Register(scenario.Scenario{
	Name:     "bridge_address_conflict",
	Title:    "the bridge of one worker already has another address",
	Expects:  diagnosis.BridgeAddressConflict,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"node.pod-routes", "pod.other-node", "pod.to-host-network", "pod.from-host-network"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, `. `+subnetEnv+`; ip addr del $FLANNEL_SUBNET dev cni0; ip addr add 10.99.0.1/24 dev cni0`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, `. `+subnetEnv+`; ip addr del 10.99.0.1/24 dev cni0 2>/dev/null; ip addr replace $FLANNEL_SUBNET brd + dev cni0`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ip", "addr", "show", "cni0"}),
			onVictim(t),
		}
	},
})
