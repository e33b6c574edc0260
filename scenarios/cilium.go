// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cniproof/cniproof/framework/scenario"
)

// bindCilium has the ClusterRoleBinding of Cilium's agent name that service
// account.
func bindCilium(ctx context.Context, t scenario.Target, account string) error {
	patch := fmt.Sprintf(`{"subjects":[{"kind":"ServiceAccount","name":%q,"namespace":"kube-system"}]}`, account)
	_, err := t.Cluster.Client.RbacV1().ClusterRoleBindings().Patch(ctx, "cilium", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change the ClusterRoleBinding of Cilium: %w", err)
	}
	return nil
}

func lookAtCilium(t scenario.Target) []string {
	return []string{
		"kubectl -n kube-system get pods -l k8s-app=cilium -o wide",
		"kubectl -n kube-system logs -l k8s-app=cilium --tail=20",
		onVictim(t),
	}
}
