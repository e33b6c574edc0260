// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/target"
)

// trip is what a check does to targets from a pod on every node.
type trip struct {
	// what is wanted, for people, e.g. "a TCP connection".
	what string
	// schemes are those of the targets it is for; hint is how to name one.
	schemes []string
	hint    string
	// jobs are what a pod does to one target, with IDs that begin with it.
	jobs func(target.Target) []job.Job
	// arrived tells whether the result shows that the target was reached; nil is
	// Result.OK.
	arrived func(job.Result) bool
	// figure names the measurement of how long it took.
	figure string
}

// run makes the trip from every node.
func (t trip) run(ctx context.Context, env *check.Env) error {
	targets, err := t.targets(env)
	if err != nil {
		return err
	}
	return fleet.Ask(ctx, env, fleet.Question{
		Pods: env.Pods,
		Jobs: func(from probe.Pod) []job.Job { return t.all(near(from, targets)) },
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			return t.judge(env, near(from, targets), from, answers)
		},
	})
}

func (t trip) all(targets []target.Target) []job.Job {
	var all []job.Job
	for _, to := range targets {
		all = append(all, t.jobs(to)...)
	}
	return all
}

// targets are those of the trip's schemes that a pod has an address to reach
// from; it does not apply without any.
func (t trip) targets(env *check.Env) ([]target.Target, error) {
	if len(env.EgressTargets) == 0 {
		return nil, &check.NotApplicable{Lacks: "a target outside the cluster; name one with -egress-target " + t.hint}
	}
	var targets []target.Target
	for _, text := range env.EgressTargets {
		to, err := target.Parse(text)
		if err != nil {
			return nil, &check.Inconclusive{Why: "a target cannot be used", Err: err}
		}
		if slices.Contains(t.schemes, to.Scheme) {
			targets = append(targets, to)
		}
	}
	if len(targets) == 0 {
		return nil, &check.NotApplicable{Lacks: "a target of its kind; name one with -egress-target " + t.hint}
	}
	pods := slices.Collect(maps.Values(env.Pods))
	if len(pods) > 0 && !slices.ContainsFunc(pods, func(p probe.Pod) bool { return len(near(p, targets)) > 0 }) {
		return nil, &check.NotApplicable{Lacks: "a target of an address family that pods have, among " + names(targets)}
	}
	return targets, nil
}

// near are the targets but for those of a family that the pod has no address of.
func near(from probe.Pod, targets []target.Target) []target.Target {
	return slices.DeleteFunc(slices.Clone(targets), func(t target.Target) bool {
		ip, ok := t.IP()
		return ok && !fleet.SameFamily(from, ip.String())
	})
}

func (t trip) judge(env *check.Env, targets []target.Target, from probe.Pod, answers fleet.Answers) error {
	var wrong []string
	var errs []error
	for _, to := range targets {
		for _, j := range t.jobs(to) {
			r := answers[j.ID]
			switch {
			case r.OK || t.arrived != nil && t.arrived(r):
				if t.figure != "" && len(r.Took) > 0 {
					env.Record(check.Measurement{Name: t.figure + " " + to.Address, Node: from.Node, Value: float64(r.Took[0].Microseconds()) / 1000, Unit: "ms"})
				}
			case unresolved(to, r):
				errs = append(errs, &check.Inconclusive{Node: from.Node, Why: to.Address + " was not tried, its name did not resolve: " + fleet.Says(r)})
			default:
				wrong = append(wrong, j.ID+": "+fleet.Says(r))
			}
		}
	}
	if len(wrong) > 0 {
		errs = append(errs, &check.Failure{
			Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
			Wanted: t.what + " " + names(targets), Observed: strings.Join(wrong, "; "),
		})
	}
	return errors.Join(errs...)
}

func names(targets []target.Target) string {
	var list []string
	for _, t := range targets {
		list = append(list, t.Address)
	}
	return strings.Join(list, ", ")
}

// unresolved tells that the job failed before there was an address.
func unresolved(to target.Target, r job.Result) bool {
	if _, err := netip.ParseAddr(to.Host()); err == nil {
		return false
	}
	return slices.Contains([]string{job.NXDomain, job.ServFail, job.NoData}, r.Error) || strings.Contains(r.Message, fmt.Sprintf("lookup %s", to.Host()))
}
