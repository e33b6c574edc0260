// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// agentPods are the pods of the CNI's agent, those that are being replaced too;
// the error is an outcome.
func agentPods(ctx context.Context, env *check.Env) ([]corev1.Pod, error) {
	cni := env.Cluster.CNI
	if cni.Selector == "" {
		return nil, &check.NotApplicable{Lacks: "a CNI whose agent is known (calico, cilium, flannel, kindnet, weave)"}
	}
	list, err := env.Cluster.Client.CoreV1().Pods(cni.Namespace).List(ctx, metav1.ListOptions{LabelSelector: cni.Selector})
	if err != nil {
		return nil, &check.Inconclusive{Why: "the agent's pods could not be listed", Err: err}
	}
	return list.Items, nil
}
