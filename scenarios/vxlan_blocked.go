// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// A firewall between two nodes drops the port VXLAN uses: 8472/udp from one worker
// does not reach the other. Everything within a node works, and so does every
// other pair of nodes.
var _ = scenario.Register(scenario.Scenario{
	Name:     "vxlan_blocked",
	Title:    "VXLAN packets from one worker are dropped by another",
	Expects:  diagnosis.NodeFirewallDrop,
	Topology: "default",
	Breaks:   []string{"pod.other-node"},
	MayBreak: []string{"mtu.path", "mtu.bulk-tcp", "pod.from-host-network", "service.cluster-ip"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return vxlanDrop.insert(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return vxlanDrop.remove(ctx, t)
	},
	Look: vxlanDrop.look,
})

var vxlanDrop = packetRule{"filter", "INPUT", func(t scenario.Target) string {
	return "-s " + peer(t).InternalIPs[0].String() + " -p udp --dport 8472 -j DROP"
}}
