// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// A NetworkPolicy in kube-system selects every pod and allows nothing in: the first
// step of a hardening guide without the second. CoreDNS is well and gets no
// questions.
var _ = scenario.Register(scenario.Scenario{
	Name:     "policy_default_deny",
	Title:    "a policy denies everything into kube-system",
	Expects:  diagnosis.NetworkPolicyBlocks,
	Topology: "cilium",
	Breaks:   []string{"dns.service-name"},
	MayBreak: []string{"dns", "policy", "audit"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		policy := &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: denyAll, Namespace: "kube-system"},
			Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
		}
		_, err := t.Cluster.Client.NetworkingV1().NetworkPolicies("kube-system").Create(ctx, policy, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		err := t.Cluster.Client.NetworkingV1().NetworkPolicies("kube-system").Delete(ctx, denyAll, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	},
	Look: func(scenario.Target) []string {
		return []string{"kubectl -n kube-system get networkpolicies -o yaml"}
	},
})

const denyAll = "site-deny-all"
