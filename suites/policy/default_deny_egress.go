// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// A policy that selects a pod for egress and allows none stops its new
// connections over TCP and its datagrams over UDP to a pod of its own node and
// to one of another: one selected pod on every node, which all went through
// before. Others still reach it, since nothing is said of ingress.
//
// What could fool it: as in policy.default-deny-ingress.
//
// Turns red with: cilium-dbg config PolicyEnforcement=never (in the agent of a
// node, once policy.enforced has passed)
var _ = check.Register(check.Check{
	ID:       "policy.default-deny-egress",
	Title:    "a default deny of egress stops TCP and UDP from the pods it selects and nothing to them, on every node",
	Level:    check.Required,
	Requires: []string{"policy.enforced"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		return experiment{
			name: "deny-egress", nodes: every,
			policy: func(*lab) networkingv1.NetworkPolicySpec {
				return networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}}
			},
			table: func(l *lab) []row {
				var all []row
				for _, pod := range l.pods {
					all = append(all, rows(pod, env.Pods[pod.Node], pod.Node, false, job.TCP, job.UDP)...)
					all = append(all, rows(env.Pods[pod.Node], pod, pod.Node, true, job.TCP)...)
					if other := neighbour(env, pod.Node); other.Node != pod.Node {
						all = append(all, rows(pod, other, pod.Node, false, job.TCP, job.UDP)...)
					}
				}
				return all
			},
		}.run(ctx, env)
	},
})
