// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// A hardening script turned forwarding off on one worker. Pods of the node reach each
// other over the bridge and nothing else.
var _ = scenario.Register(scenario.Scenario{
	Name:     "ip_forward_off",
	Title:    "forwarding is turned off on one worker",
	Expects:  diagnosis.IPForwardDisabled,
	Topology: "default",
	Breaks:   []string{"node.ip-forward", "pod.other-node"},
	MayBreak: []string{"pod.to-host-network", "pod.from-host-network", "service.kubernetes-service", "pod.same-node"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "sysctl", "-w", "net.ipv4.ip_forward=0")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "sysctl", "-w", "net.ipv4.ip_forward=1")
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"sysctl", "net.ipv4.ip_forward"}),
		}
	},
})
