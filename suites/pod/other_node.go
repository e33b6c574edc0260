// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"context"
	"errors"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// The probe pod of every node exchanges a line over TCP and a datagram over UDP
// with those of the other nodes (beyond 20 nodes: with some, see fleet.Mesh), in
// both address families where there are two.
//
// It is the pod by name that must answer: an address that another pod holds too
// is no proof. What could fool it: pods that were started before a fault and
// are still connected; so only new connections are made.
//
// Turns red with: iptables -I FORWARD -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "pod.other-node",
	Title:    "a pod reaches a pod on another node by IP over TCP and UDP",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		pairs := fleet.Mesh(env)
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
					errs = append(errs, reached(env, from, to, answers))
				}
				return errors.Join(errs...)
			},
		})
	},
})
