// SPDX-License-Identifier: Apache-2.0

// Package scenarios is the faults, one per file, named by what happened. Each
// registers itself; framework/scenario runs them. The verbs that faults are made
// of are in target.go (the node to break), files.go (files on it),
// packetfilter.go (iptables rules), objects.go (Kubernetes objects), app.go (an
// application of somebody) and coredns.go.
package scenarios

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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

// shell runs a script on the victim and wants it to succeed.
func shell(ctx context.Context, t scenario.Target, script string) error {
	return onNode(ctx, t, "sh", "-c", script)
}

// peer is a worker beside the victim.
func peer(t scenario.Target) cluster.Node {
	for _, n := range t.Cluster.Nodes {
		if n.Name != t.Node && !n.ControlPlane {
			return n
		}
	}
	return cluster.Node{}
}

// onVictim is a kubectl command about what runs on the victim.
func onVictim(t scenario.Target) string {
	return "kubectl get pods -A -o wide --field-selector spec.nodeName=" + t.Node
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
