// SPDX-License-Identifier: Apache-2.0

// Package scenarios is the faults, one per file, named by what happened. Each
// registers itself; framework/scenario runs them. This file holds the verbs
// that faults are made of.
package scenarios

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/scenario"
)

const pollEvery = 500 * time.Millisecond

// onNode runs a command on the victim and wants it to succeed.
func onNode(ctx context.Context, t scenario.Target, argv ...string) error {
	out, err := t.Cluster.Access.Run(ctx, t.Node, cluster.Command{Argv: argv})
	if err != nil {
		return fmt.Errorf("run %q on %s: %w", strings.Join(argv, " "), t.Node, err)
	}
	if out.Code != 0 {
		return fmt.Errorf("run %q on %s: exit %d: %s", strings.Join(argv, " "), t.Node, out.Code, bytes.TrimSpace(out.Stderr))
	}
	return nil
}

// restartAgent replaces the CNI's pod on the victim and waits until the new one
// is ready; its init containers write the CNI configuration again.
func restartAgent(ctx context.Context, t scenario.Target) error {
	pods := t.Cluster.Client.CoreV1().Pods(t.Cluster.CNI.Namespace)
	options := metav1.ListOptions{LabelSelector: t.Cluster.CNI.Selector, FieldSelector: "spec.nodeName=" + t.Node}
	list, err := pods.List(ctx, options)
	if err != nil {
		return fmt.Errorf("find the CNI pod on %s: %w", t.Node, err)
	}
	for _, p := range list.Items {
		if err := pods.Delete(ctx, p.Name, metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("delete the CNI pod %s: %w", p.Name, err)
		}
	}
	old := func(uid types.UID) bool {
		return slices.ContainsFunc(list.Items, func(p corev1.Pod) bool { return p.UID == uid })
	}
	err = wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		now, err := pods.List(ctx, options)
		if err != nil {
			return false, nil //nolint:nilerr // asked again until ctx ends
		}
		return slices.ContainsFunc(now.Items, func(p corev1.Pod) bool {
			return !old(p.UID) && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})
		}), nil
	})
	if err != nil {
		return fmt.Errorf("wait for a new CNI pod on %s: %w", t.Node, err)
	}
	return nil
}

// nodeReady waits until the victim is Ready.
func nodeReady(ctx context.Context, t scenario.Target) error {
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		node, err := t.Cluster.Client.CoreV1().Nodes().Get(ctx, t.Node, metav1.GetOptions{})
		if err != nil {
			return false, nil //nolint:nilerr // asked again until ctx ends
		}
		return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}), nil
	})
	if err != nil {
		return fmt.Errorf("wait for node %s to be Ready: %w", t.Node, err)
	}
	return nil
}

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
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		d, err := deployments.Get(ctx, "coredns", metav1.GetOptions{})
		return err == nil && d.Status.Replicas == replicas && d.Status.ReadyReplicas == replicas, nil
	})
	if err != nil {
		return fmt.Errorf("wait for CoreDNS to have %d replicas: %w", replicas, err)
	}
	return nil
}
