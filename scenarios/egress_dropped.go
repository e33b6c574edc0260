// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody's firewall on one worker drops what pods send to the world outside the
// cluster. Everything within the cluster works.
var _ = scenario.Register(scenario.Scenario{
	Name:     "egress_dropped",
	Title:    "one worker drops what its pods send outside",
	Expects:  diagnosis.EgressBlocked,
	Topology: "two-node",
	Breaks:   []string{"egress.tcp", "egress.udp", "egress.dns"},
	MayBreak: []string{"egress", "dns.upstream-name", "mtu.outside"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return egressDrop.insert(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return egressDrop.remove(ctx, t)
	},
	Look: egressDrop.look,
})

var egressDrop = packetRule{"filter", "FORWARD", func(t scenario.Target) string {
	return "-i cni0 -d " + t.Cluster.Outside.Addrs[0].String() + " -j DROP"
}}
