// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The tunnel of one worker has a smaller MTU than its pods and than the other
// nodes' tunnels.
var _ = scenario.Register(scenario.Scenario{
	Name:     "mtu_tunnel_lowered",
	Title:    "the VXLAN device of one worker has a smaller MTU than the pods",
	Expects:  diagnosis.MTUMismatch,
	Topology: "two-node",
	Breaks:   []string{"mtu.headers"},
	MayBreak: []string{"mtu.agree", "mtu.path", "mtu.service", "mtu.bulk-tcp"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "ip", "link", "set", "flannel.1", "mtu", "1300")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "ip", "link", "set", "flannel.1", "mtu", "1450")
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ip", "-d", "link", "show", "flannel.1"}),
		}
	},
})
