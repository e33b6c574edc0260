// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The interface of one worker to the other nodes has a smaller MTU than theirs: a VPN,
// a cloud's other network. What the worker sends is fragmented after the tunnel's
// headers are on; packets of full size to it are dropped where they come in, unless
// segmentation offload hides their size.
var _ = scenario.Register(scenario.Scenario{
	Name:     "mtu_underlay_lowered",
	Title:    "the network below the tunnel has a smaller MTU on one worker",
	Expects:  diagnosis.MTUMismatch,
	Topology: "two-node",
	Breaks:   []string{"mtu.headers", "mtu.path"},
	MayBreak: []string{"mtu", "dns.large-answer"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepOutput(ctx, t, "cat /sys/class/net/eth0/mtu", underlayMTU); err != nil {
			return err
		}
		return onNode(ctx, t, "ip", "link", "set", "eth0", "mtu", "1400")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, `[ ! -e `+underlayMTU+` ] || { ip link set eth0 mtu $(cat `+underlayMTU+`) && rm `+underlayMTU+`; }`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ip", "link", "show", "eth0"}),
		}
	},
})

const underlayMTU = kept + "/eth0-mtu"
