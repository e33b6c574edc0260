// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// A policy that allows ingress from namespaces with a label lets in a pod of the
// run's other namespace, which has it, and keeps out the pods of the selected
// pod's own. The label is the one the API server puts on every namespace, its
// name (KEP-2161).
//
// What could fool it: as in policy.default-deny-ingress.
//
// Turns red with: cilium-dbg config PolicyEnforcement=never (in the agent of a
// node, once policy.default-deny-ingress has passed)
var _ = check.Register(check.Check{
	ID:       "policy.allow-by-namespace-label",
	Title:    "a policy lets in the pods of namespaces by their labels, and no others",
	Level:    check.Required,
	Requires: []string{"policy.default-deny-ingress"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		if env.HostNamespace == "" {
			return &check.NotApplicable{Lacks: "a second namespace for the run, which admission refuses"}
		}
		return experiment{
			name: "namespace-label", nodes: one,
			policy: func(*lab) networkingv1.NetworkPolicySpec {
				return allowFrom(networkingv1.NetworkPolicyPeer{
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: env.HostNamespace}},
				})
			},
			others: func(ctx context.Context, env *check.Env, node string) (*lab, error) {
				elsewhere := *env
				elsewhere.Namespace = env.HostNamespace
				return open(ctx, &elsewhere, "foreigner", node)
			},
			table: func(l *lab) []row {
				pod := l.pods[0]
				all := rows(l.others[0], pod, pod.Node, true, job.TCP, job.UDP)
				return append(all, rows(neighbour(env, pod.Node), pod, pod.Node, false, job.TCP, job.UDP)...)
			},
		}.run(ctx, env)
	},
})
