// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

const hardening = "sysctl-hardening"

// A hardening agent keeps forwarding off on one worker. Pods of the node reach each
// other over the bridge and nothing else. Once would not do: the bridge plugin
// turns forwarding on with each pod that it connects (enableIPForward of its
// source), so the agent is a unit of the node's that looks 20 times a second.
var _ = scenario.Register(scenario.Scenario{
	Name:     "ip_forward_off",
	Title:    "forwarding is turned off on one worker",
	Expects:  diagnosis.IPForwardDisabled,
	Topology: "two-node",
	Breaks:   []string{"node.ip-forward", "pod.other-node"},
	MayBreak: []string{"pod.to-host-network", "pod.from-host-network", "service.kubernetes-service", "pod.same-node"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "systemd-run", "--unit="+hardening, "sh", "-c",
			"while echo 0 > /proc/sys/net/ipv4/ip_forward; do sleep 0.05; done")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, "systemctl stop "+hardening+" 2>/dev/null; sysctl -w net.ipv4.ip_forward=1")
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"sysctl", "net.ipv4.ip_forward"}),
			t.Cluster.Access.Describe(t.Node, []string{"systemctl", "status", hardening}),
		}
	},
})
