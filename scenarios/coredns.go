// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cniproof/cniproof/framework/scenario"
)

// scaleCoreDNS sets the replicas of the CoreDNS Deployment and waits until that
// many are ready, and no more exist.
func scaleCoreDNS(ctx context.Context, t scenario.Target, replicas int32) error {
	deployments := t.Cluster.Client.AppsV1().Deployments("kube-system")
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: "coredns", Namespace: "kube-system"},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
	}
	if _, err := deployments.UpdateScale(ctx, "coredns", scale, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("scale CoreDNS to %d: %w", replicas, err)
	}
	return awaitCoreDNS(ctx, t, replicas)
}

func awaitCoreDNS(ctx context.Context, t scenario.Target, replicas int32) error {
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		d, err := t.Cluster.Client.AppsV1().Deployments("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
		return err == nil && d.Status.ObservedGeneration == d.Generation && d.Status.Replicas == replicas && d.Status.ReadyReplicas == replicas, nil
	})
	if err != nil {
		return fmt.Errorf("wait for CoreDNS to have %d replicas: %w", replicas, err)
	}
	return nil
}

// recreateCoreDNS replaces the pods of CoreDNS by ones of a template that can never be
// ready. It returns when none is left of the old ones: a pod that is being deleted is
// CoreDNS going down, whatever becomes of its successor.
func recreateCoreDNS(ctx context.Context, t scenario.Target, template string) error {
	patch := `{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"},"template":` + template + `}}`
	if err := patchDeployment(ctx, t, "kube-system", "coredns", patch); err != nil {
		return err
	}
	if err := deletePods(ctx, t, "kube-system", "k8s-app=kube-dns", ""); err != nil {
		return err
	}
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		d, err := t.Cluster.Client.AppsV1().Deployments("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil || d.Status.ObservedGeneration != d.Generation || d.Status.UpdatedReplicas < *d.Spec.Replicas {
			return false, nil //nolint:nilerr // asked again until ctx ends
		}
		pods, err := t.Cluster.Client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
		return err == nil && len(pods.Items) == int(*d.Spec.Replicas), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the new pods of CoreDNS: %w", err)
	}
	return nil
}

// rollCoreDNS undoes recreateCoreDNS with a template that undoes its own.
func rollCoreDNS(ctx context.Context, t scenario.Target, template string) error {
	patch := `{"spec":{"strategy":{"$retainKeys":["type","rollingUpdate"],"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1,"maxSurge":"25%"}},"template":` + template + `}}`
	if err := patchDeployment(ctx, t, "kube-system", "coredns", patch); err != nil {
		return err
	}
	return awaitCoreDNS(ctx, t, 2)
}

// corefile makes a fault of an edit of the Corefile, with new CoreDNS pods: its
// reload plugin would take up to 45 s to notice.
type corefile func(text string) string

func (edit corefile) inject(ctx context.Context, t scenario.Target) error {
	if err := editConfigMap(ctx, t, "kube-system", "coredns", "Corefile", edit); err != nil {
		return err
	}
	return deletePods(ctx, t, "kube-system", "k8s-app=kube-dns", "")
}

func (corefile) heal(ctx context.Context, t scenario.Target) error {
	if err := restoreConfigMap(ctx, t, "kube-system", "coredns", "Corefile"); err != nil {
		return err
	}
	if err := deletePods(ctx, t, "kube-system", "k8s-app=kube-dns", ""); err != nil {
		return err
	}
	return awaitCoreDNS(ctx, t, 2)
}

func lookAtCoreDNS(scenario.Target) []string {
	return []string{
		"kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide",
		"kubectl -n kube-system get configmap coredns -o yaml",
		"kubectl -n kube-system logs -l k8s-app=kube-dns --tail=20",
	}
}
