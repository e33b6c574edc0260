// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/target"
)

// From a pod on every node the targets that say whom they saw are asked: it must
// be the pod's node, as masquerading does, or the pod itself where the CNI is
// not known to masquerade.
//
// What could fool it: whatever translates addresses between the nodes and a
// target. On a cluster of the harness's own there is nothing; elsewhere an
// address that is neither the node's nor the pod's does not apply.
//
// Turns red with: ip addr add <free address> dev eth0; iptables -t nat -I
// POSTROUTING -d <target> -j SNAT --to <free address> (on a node)
var _ = check.Register(check.Check{
	ID:       "egress.source-address",
	Title:    "outside the cluster a pod is seen with its node's address, or its own where the CNI does not masquerade",
	Level:    check.Required,
	Requires: []string{"egress.tcp"},
	Run: func(ctx context.Context, env *check.Env) error {
		t := trip{schemes: []string{target.UDP}, hint: "http://host:port of fixtures/outside"}
		if env.EgressProxy == "" {
			t.schemes = append(t.schemes, target.HTTP)
		}
		targets, err := t.targets(env)
		if err != nil {
			return err
		}
		t.jobs = func(to target.Target) []job.Job {
			if to.Scheme == target.UDP {
				return []job.Job{{ID: to.String(), Kind: job.UDP, Address: to.Address}}
			}
			return []job.Job{{ID: to.String(), Kind: job.HTTP, Address: to.String()}}
		}
		expected := masquerade(ctx, env)
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job { return t.all(near(from, targets)) },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				return expected.judge(env, from, answers)
			},
		})
	},
})

// judge holds the client addresses that targets saw against the rule.
func (m rule) judge(env *check.Env, from probe.Pod, answers fleet.Answers) error {
	var wrong, foreign, missing []string
	told := false
	for id, r := range answers {
		if !answered(r) {
			missing = append(missing, id+": "+fleet.Says(r))
		}
		for _, e := range r.Peers {
			client, err := netip.ParseAddrPort(e.Client)
			if err != nil {
				continue
			}
			told = true
			seen := client.Addr().Unmap()
			switch {
			case ofNode(env, from.Node, seen):
			case slices.Contains(from.IPs, seen.String()):
				if m.always {
					wrong = append(wrong, id+" saw the pod's own address "+seen.String())
				}
			case env.Cluster.Outside != nil, ofAny(env, seen):
				wrong = append(wrong, id+" saw "+seen.String())
			default:
				foreign = append(foreign, id+" saw "+seen.String())
			}
		}
	}
	slices.Sort(wrong)
	switch {
	case len(wrong) > 0:
		return &check.Failure{
			Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
			Wanted: "an address of node " + from.Node + m.because, Observed: strings.Join(wrong, "; "),
		}
	case len(foreign) > 0:
		return &check.NotApplicable{Node: from.Node, Lacks: "a target beside the nodes: addresses are translated on the way, " + foreign[0]}
	case !told && len(missing) > 0:
		return &check.Inconclusive{Node: from.Node, Why: "no target said whom it saw: " + strings.Join(missing, "; ")}
	case !told:
		return &check.NotApplicable{Node: from.Node, Lacks: "a target that says whom it saw; run fixtures/outside and name it with -egress-target http://host:port"}
	}
	return nil
}

func ofNode(env *check.Env, name string, ip netip.Addr) bool {
	return slices.ContainsFunc(env.Cluster.Nodes, func(n cluster.Node) bool {
		return n.Name == name && slices.Contains(n.InternalIPs, ip)
	})
}

// ofAny tells whether the address is one of the cluster's, and so not that of a
// gateway beyond it.
func ofAny(env *check.Env, ip netip.Addr) bool {
	return slices.ContainsFunc(env.Cluster.Nodes, func(n cluster.Node) bool { return slices.Contains(n.InternalIPs, ip) }) ||
		slices.ContainsFunc(env.Cluster.PodCIDRs, func(p netip.Prefix) bool { return p.Contains(ip) })
}
