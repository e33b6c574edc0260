// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cniproof/cniproof/framework/scenario"
)

// ciliumSock is where the plugin asks the agent.
const ciliumSock = "/var/run/cilium/cilium.sock"

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

// crashCilium has the victim's agent start anew and waits until a container of it ended
// with an error: after a minute, where it tries the API server that long.
func crashCilium(ctx context.Context, t scenario.Target) error {
	if err := deletePods(ctx, t, "kube-system", "k8s-app=cilium", t.Node); err != nil {
		return err
	}
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		pods, err := onVictimWith(ctx, t, "kube-system", "k8s-app=cilium")
		return err == nil && slices.ContainsFunc(pods, crashed), nil
	})
	if err != nil {
		return fmt.Errorf("wait for Cilium to crash on %s: %w", t.Node, err)
	}
	return nil
}

func crashed(p corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses), func(c corev1.ContainerStatus) bool {
		return c.RestartCount > 0 || c.State.Terminated != nil && c.State.Terminated.ExitCode != 0
	})
}

func lookAtCilium(t scenario.Target) []string {
	return []string{
		"kubectl -n kube-system get pods -l k8s-app=cilium -o wide",
		"kubectl -n kube-system logs -l k8s-app=cilium --tail=20",
		onVictim(t),
	}
}
