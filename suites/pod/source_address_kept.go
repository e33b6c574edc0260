// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// A pod that is reached from another node sees the client pod's own address and
// not that of a node, over TCP and UDP: pods communicate without NAT, as the
// Kubernetes network model wants it, and NetworkPolicies and logs rely on it.
//
// The echo says what address it saw. Either node may have put it there; it is
// one of that node's own.
//
// Turns red with: iptables -t nat -I POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE (on a node)
var _ = check.Register(check.Check{
	ID:       "pod.source-address-kept",
	Title:    "a pod sees the own address of a pod that reaches it from another node",
	Level:    check.Required,
	Requires: []string{"pod.other-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		pairs := fleet.Ring(env)
		if err := pairs.Alone(env); err != nil {
			return err
		}
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job {
				var jobs []job.Job
				for _, to := range pairs.Of(from.Node, env.Pods) {
					jobs = append(jobs, reach(from, to)...)
				}
				return jobs
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var errs []error
				for _, to := range pairs.Of(from.Node, env.Pods) {
					errs = append(errs, sourceKept(from, to, answers))
				}
				return errors.Join(errs...)
			},
		})
	},
})

func sourceKept(from, to probe.Pod, answers fleet.Answers) error {
	var wrong, mute []string
	for _, j := range reach(from, to) {
		r := answers[j.ID]
		if !r.OK || len(r.Peers) == 0 {
			mute = append(mute, fmt.Sprintf("%s: %s", j.ID, fleet.Says(r)))
			continue
		}
		if seen, err := netip.ParseAddrPort(r.Peers[0].Client); err != nil || !slices.Contains(from.IPs, seen.Addr().Unmap().String()) {
			wrong = append(wrong, fmt.Sprintf("%s: it saw %s", j.ID, r.Peers[0].Client))
		}
	}
	switch {
	case len(wrong) > 0:
		return &check.Failure{
			Node: from.Node, Peer: to.Node, Pods: []string{from.Namespace + "/" + from.Name, to.Namespace + "/" + to.Name},
			Wanted:   fmt.Sprintf("%s to see %s as %s", place(to), place(from), strings.Join(from.IPs, " or ")),
			Observed: strings.Join(wrong, "; "),
		}
	case len(mute) > 0:
		return &check.Inconclusive{Node: from.Node, Why: strings.Join(mute, "; ")}
	}
	return nil
}
