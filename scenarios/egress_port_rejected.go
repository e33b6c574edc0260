// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody's firewall on one worker rejects what pods send outside to one port, as
// where only a proxy may speak HTTPS.
var _ = scenario.Register(scenario.Scenario{
	Name:     "egress_port_rejected",
	Title:    "one worker rejects one port of the world outside",
	Expects:  diagnosis.EgressBlocked,
	Topology: "two-node",
	Breaks:   []string{"egress.tcp"},
	MayBreak: []string{"egress"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return egressReject.insert(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return egressReject.remove(ctx, t)
	},
	Look: egressReject.look,
})

var egressReject = packetRule{"filter", "FORWARD", func(t scenario.Target) string {
	return "-i cni0 -d " + t.Cluster.Outside.Addrs[0].String() + " -p tcp --dport 443 -j REJECT --reject-with tcp-reset"
}}
