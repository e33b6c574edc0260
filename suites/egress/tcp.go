// SPDX-License-Identifier: Apache-2.0

// Package egress holds the checks of area egress: pods reach the world outside
// the cluster.
package egress

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// From a pod on every node a TCP connection to each target outside the cluster
// is made and closed again; nothing is sent.
//
// A target that refuses was reached, and yet is red: on its behalf or on a
// firewall's, somebody does not let pods in. What could fool it: a transparent
// proxy that accepts in the target's stead; a target's name, which needs DNS
// first: one that does not resolve makes it inconclusive.
//
// Turns red with: iptables -I FORWARD -d <target> -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "egress.tcp",
	Title:    "a pod connects to targets outside the cluster over TCP, from every node",
	Level:    check.Required,
	Requires: []string{"pod.to-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		if len(env.EgressTargets) == 0 {
			return &check.NotApplicable{Lacks: "a target outside the cluster; name one with -egress-target host:port"}
		}
		fits := func(p probe.Pod) bool { return len(connects(p, env.EgressTargets)) > 0 }
		if pods := slices.Collect(maps.Values(env.Pods)); len(pods) > 0 && !slices.ContainsFunc(pods, fits) {
			return &check.NotApplicable{Lacks: "a target of an address family that pods have, among " + strings.Join(env.EgressTargets, ", ")}
		}
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job { return connects(from, env.EgressTargets) },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var wrong []string
				for _, j := range connects(from, env.EgressTargets) {
					r := answers[j.ID]
					switch {
					case r.OK && len(r.Took) > 0:
						env.Record(check.Measurement{Name: "TCP connect to " + j.Address, Node: from.Node, Value: float64(r.Took[0].Microseconds()) / 1000, Unit: "ms"})
					case unresolved(j.Address, r):
						return &check.Inconclusive{Node: from.Node, Why: j.Address + " was not tried, its name did not resolve: " + fleet.Says(r)}
					case !r.OK:
						wrong = append(wrong, j.Address+": "+fleet.Says(r))
					}
				}
				if len(wrong) == 0 {
					return nil
				}
				return &check.Failure{
					Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
					Wanted: "a TCP connection to " + strings.Join(env.EgressTargets, ", "), Observed: strings.Join(wrong, "; "),
				}
			},
		})
	},
})

// connects are the jobs for the targets, but for addresses of a family that the
// pod has none of.
func connects(from probe.Pod, targets []string) []job.Job {
	var jobs []job.Job
	for _, target := range targets {
		if addr, err := netip.ParseAddrPort(target); err == nil && !fleet.SameFamily(from, addr.Addr().String()) {
			continue
		}
		jobs = append(jobs, job.Job{ID: target, Kind: job.Connect, Address: target})
	}
	return jobs
}

// unresolved tells that the connection failed before there was an address.
func unresolved(target string, r job.Result) bool {
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	return slices.Contains([]string{job.NXDomain, job.ServFail, job.NoData}, r.Error) || strings.Contains(r.Message, "lookup ")
}
