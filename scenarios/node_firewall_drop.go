// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody's firewall on one worker drops what the node forwards: a rule ahead
// of flannel's and kube-proxy's own in the FORWARD chain. Pods on the node keep
// their own node; everything that the node routes is gone, and so is what its
// bridge switches between two pods, because flannel insists on br_netfilter,
// which shows bridged packets to iptables.
//
// flanneld restores its own rules when they change but does not remove or go
// before others, so nothing heals this.
var _ = scenario.Register(scenario.Scenario{
	Name:     "node_firewall_drop",
	Title:    "a firewall rule on one worker drops everything the node forwards",
	Expects:  diagnosis.NodeFirewallDrop,
	Topology: "two-node",
	Breaks:   []string{"node.forward-chain", "pod.same-node", "pod.other-node", "pod.to-host-network", "pod.from-host-network", "service.kubernetes-service"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, append([]string{"iptables", "-I"}, dropForward...)...)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		// Until it is gone: -D removes one rule, and Inject may have run twice.
		return onNode(ctx, t, "sh", "-c", "while iptables -C FORWARD -m comment --comment site-firewall -j DROP 2>/dev/null; do iptables -D FORWARD -m comment --comment site-firewall -j DROP || exit; done")
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"iptables", "-L", "FORWARD", "-v", "-n", "--line-numbers"}),
			"kubectl get pods -A -o wide --field-selector spec.nodeName=" + t.Node,
		}
	},
})

var dropForward = []string{"FORWARD", "-m", "comment", "--comment", "site-firewall", "-j", "DROP"}
