// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// figure is 1 where a default deny had an effect and 0 where it had none: the
// others of the area take it from here and need not find out again.
const figure = "NetworkPolicy enforced"

var denyIngress = networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}

// A default deny stops the traffic to a pod on at least one of two nodes. Where
// it stops none, the CNI enforces no NetworkPolicy and the area does not apply.
//
// That is found out by trying and not from the CNI's name, which decides no more
// than how long it is given: agents that are known to enforce policies may take
// a while over it. One node is enough: where some nodes enforce and others do
// not, policy.default-deny-ingress is red there. What could fool it: a pod that
// is lost for another reason; so it must have answered before, and stay silent.
//
// It never turns red: it decides whether the area applies.
var _ = check.Register(check.Check{
	ID:       "policy.enforced",
	Title:    "the CNI enforces NetworkPolicies",
	Level:    check.Required,
	Requires: []string{"pod.other-node", "sandbox.starts-on-every-node"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		nodes := every(env, "")
		if len(nodes) == 0 {
			return &check.Inconclusive{Why: "no probe pod is ready to try a policy with"}
		}
		l, err := open(ctx, env, "enforced", slices.Compact([]string{nodes[0], nodes[len(nodes)-1]})...)
		if err != nil {
			return err
		}
		var table []row
		for _, pod := range l.pods {
			table = append(table, rows(env.Pods[pod.Node], pod, pod.Node, false, job.TCP)...)
		}
		if err := before(ctx, env, table); err != nil {
			// Without a node: the area needs an answer that is about the cluster.
			return &check.Inconclusive{Why: "no traffic to stop", Err: err}
		}
		if err := l.apply(ctx, denyIngress); err != nil {
			return err
		}
		came, err := ask(ctx, env, table, func(row) job.Job {
			return job.Job{Until: job.Unanswered, Within: patience(env), Timeout: silence}
		})
		if err != nil {
			return err
		}
		stayed, err := ask(ctx, env, table, func(row) job.Job { return job.Job{Count: 3, Timeout: silence} })
		if err != nil {
			return err
		}
		found := 0.0
		for i := range table {
			if came[i].OK && stayed[i].Received == 0 {
				found = 1
			}
		}
		m := check.Measurement{Name: figure, Value: found, Unit: "count"}
		env.Record(m)
		return effect(m)
	},
})

// patience is how long a default deny is waited for.
func patience(env *check.Env) time.Duration {
	limits := env.Timeouts
	switch env.Cluster.CNI.Kind {
	case "calico", "cilium", "weave", "kindnet":
		return limits.Programmed
	}
	return limits.ProbeJob
}

// enforces is nil where policies are enforced, by what policy.enforced found.
func enforces(env *check.Env) error {
	for _, m := range env.Figures("policy.enforced") {
		if m.Name == figure {
			return effect(m)
		}
	}
	return &check.Inconclusive{Why: "policy.enforced did not find out whether policies are enforced"}
}

func effect(m check.Measurement) error {
	if m.Value == 0 {
		return &check.NotApplicable{Lacks: "a CNI that enforces NetworkPolicy: a default deny had no effect"}
	}
	return nil
}
