// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// A policy that selects a pod for ingress and allows none stops new connections
// over TCP and datagrams over UDP to it, from a pod of its own node and from one
// of another: one selected pod on every node, which all answered before.
//
// It is found to be so steadily, and not for a moment only. What could fool it:
// a pod that stopped answering for another reason; the other checks of the area
// show that what is allowed goes through. Traffic of the node itself, which most
// CNIs let in always, is not judged.
//
// Turns red with: cilium-dbg config PolicyEnforcement=never (in the agent of a
// node, once policy.enforced has passed)
var _ = check.Register(check.Check{
	ID:       "policy.default-deny-ingress",
	Title:    "a default deny of ingress stops TCP and UDP to the pods it selects, on every node",
	Level:    check.Required,
	Requires: []string{"policy.enforced"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		return experiment{
			name: "deny-ingress", nodes: every,
			policy: func(*lab) networkingv1.NetworkPolicySpec { return denyIngress },
			table: func(l *lab) []row {
				var all []row
				for _, pod := range l.pods {
					all = append(all, rows(env.Pods[pod.Node], pod, pod.Node, false, job.TCP, job.UDP)...)
					if other := neighbour(env, pod.Node); other.Node != pod.Node {
						all = append(all, rows(other, pod, pod.Node, false, job.TCP, job.UDP)...)
					}
				}
				return all
			},
		}.run(ctx, env)
	},
})
