// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The permissions of flannel's service account are gone, and its agent on one worker
// was just replaced: the API server answers, and refuses.
var _ = scenario.Register(scenario.Scenario{
	Name:     "flannel_unauthorized",
	Title:    "flannel has lost its permissions",
	Expects:  diagnosis.CNIUnauthorized,
	Topology: "two-node",
	Breaks:   []string{"cni.agent-ready"},
	MayBreak: []string{"cni.agent-stable"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := bindFlannel(ctx, t, "nobody"); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-flannel", "app=flannel", t.Node)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := bindFlannel(ctx, t, "flannel"); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-flannel logs -l app=flannel --tail=20",
			"kubectl get clusterrolebinding flannel -o yaml",
		}
	},
})

// bindFlannel has the ClusterRoleBinding of flannel name that service account.
func bindFlannel(ctx context.Context, t scenario.Target, account string) error {
	patch := fmt.Sprintf(`{"subjects":[{"kind":"ServiceAccount","name":%q,"namespace":"kube-flannel"}]}`, account)
	_, err := t.Cluster.Client.RbacV1().ClusterRoleBindings().Patch(ctx, "flannel", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change the ClusterRoleBinding of flannel: %w", err)
	}
	return nil
}
