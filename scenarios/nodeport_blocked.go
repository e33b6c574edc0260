// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// A firewall in front of one worker lets the ports of NodePort Services through from
// nowhere, as a cloud's security group that nobody opened.
var _ = scenario.Register(scenario.Scenario{
	Name:     "nodeport_blocked",
	Title:    "one worker drops what comes for a NodePort",
	Expects:  diagnosis.IngressBlocked,
	Topology: "two-node",
	Breaks:   []string{"service.nodeport-cluster"},
	MayBreak: []string{"service.nodeport-local"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return nodePortDrop.insert(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return nodePortDrop.remove(ctx, t)
	},
	Look: nodePortDrop.look,
})

var nodePortDrop = packetRule{"raw", "PREROUTING", always("-i eth0 -p tcp --dport 30000:32767 -j DROP")}
