// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The route of one worker to another node's pods is gone, and flannel, which would
// put it back, hangs. Packets go to the default gateway instead, which on a machine
// that runs kind is told to keep them.
var _ = scenario.Register(scenario.Scenario{
	Name:     "node_route_deleted",
	Title:    "the route to another node's pods is missing on one worker",
	Expects:  diagnosis.NodeRouteMissing,
	Topology: "two-node",
	Breaks:   []string{"node.pod-routes", "pod.other-node"},
	MayBreak: []string{"pod.from-host-network", "mtu.path", "service.cluster-ip", "service.from-host-network"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := onNode(ctx, t, "pkill", "-STOP", "flanneld"); err != nil {
			return err
		}
		return onNode(ctx, t, "ip", "route", "del", peer(t).PodCIDRs[0].String())
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := shell(ctx, t, "pkill -CONT flanneld; true"); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ip", "route"}),
		}
	},
})
