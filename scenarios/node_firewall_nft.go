// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody's nft table on one worker drops what the node forwards. It is not in the
// tables iptables shows: whoever looks there finds nothing.
var _ = scenario.Register(scenario.Scenario{
	Name:     "node_firewall_nft",
	Title:    "an nft table of somebody else's drops what one worker forwards",
	Expects:  diagnosis.NodeFirewallDrop,
	Topology: "two-node",
	Breaks:   []string{"pod.other-node"},
	MayBreak: []string{"node.forward-chain", "pod.same-node", "pod.to-host-network", "pod.from-host-network", "service.kubernetes-service"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, "nft -f - <<'E'\ntable inet site\ndelete table inet site\ntable inet site {\n chain forward {\n  type filter hook forward priority -10; policy accept;\n  iifname \"cni0\" counter drop\n }\n}\nE")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, "nft list table inet site >/dev/null 2>&1 || exit 0; nft delete table inet site")
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"nft", "list", "ruleset"}),
		}
	},
})
