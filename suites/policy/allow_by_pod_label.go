// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// A policy that allows ingress from pods with a label lets in those that have
// it, from the own node and from another, over TCP and UDP, and keeps out a pod
// of the same namespace that has not.
//
// What could fool it: as in policy.default-deny-ingress.
//
// Turns red with: cilium-dbg config PolicyEnforcement=never (in the agent of a
// node, once policy.default-deny-ingress has passed)
var _ = check.Register(check.Check{
	ID:       "policy.allow-by-pod-label",
	Title:    "a policy lets in pods by their labels, and no others",
	Level:    check.Required,
	Requires: []string{"policy.default-deny-ingress"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		return experiment{
			name: "pod-label", nodes: one,
			policy: func(*lab) networkingv1.NetworkPolicySpec {
				return allowFrom(networkingv1.NetworkPolicyPeer{
					PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{workloads.ProbeLabel: workloads.AppPod}},
				})
			},
			others: func(ctx context.Context, env *check.Env, node string) (*lab, error) {
				return open(ctx, env, "stranger", node)
			},
			table: func(l *lab) []row {
				pod := l.pods[0]
				all := rows(env.Pods[pod.Node], pod, pod.Node, true, job.TCP, job.UDP)
				all = append(all, rows(neighbour(env, pod.Node), pod, pod.Node, true, job.TCP, job.UDP)...)
				return append(all, rows(l.others[0], pod, pod.Node, false, job.TCP, job.UDP)...)
			},
		}.run(ctx, env)
	},
})
