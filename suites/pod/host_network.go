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

// between asks the probe in from of every node for those in to, of its own node
// and of its peers.
func between(ctx context.Context, env *check.Env, from, to map[string]probe.Pod) error {
	if len(env.HostPods) == 0 {
		if env.HostNamespace == "" {
			return &check.NotApplicable{Lacks: "pods on the host network, which admission refuses"}
		}
		return &check.Inconclusive{Why: "no probe pod on the host network is ready"}
	}
	pairs := fleet.Mesh(env)
	targets := func(of probe.Pod) []probe.Pod {
		peers := pairs.Of(of.Node, to)
		if own, ok := to[of.Node]; ok {
			peers = append(peers, own)
		}
		return peers
	}
	return fleet.Ask(ctx, env, fleet.Question{
		Pods: from,
		Jobs: func(from probe.Pod) []job.Job {
			var jobs []job.Job
			for _, to := range targets(from) {
				jobs = append(jobs, reach(from, to)...)
			}
			return jobs
		},
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			var errs []error
			for _, to := range targets(from) {
				errs = append(errs, reached(env, from, to, answers))
			}
			return errors.Join(errs...)
		},
	})
}
