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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cniproof/cniproof/fixtures/workloads"
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

// peer is a worker beside the victim, and the control plane where there is none.
func peer(t scenario.Target) cluster.Node {
	var other cluster.Node
	for _, n := range t.Cluster.Nodes {
		if n.Name == t.Node {
			continue
		}
		if !n.ControlPlane {
			return n
		}
		other = n
	}
	return other
}

// onVictim is a kubectl command about what runs on the victim.
func onVictim(t scenario.Target) string {
	return "kubectl get pods -A -o wide --field-selector spec.nodeName=" + t.Node
}

// restartAgent replaces the CNI's pod on the victim and waits until the new one
// is ready and its plugin has what it needs of it; its init containers write the CNI
// configuration again. flannel's pod has no readiness probe: its agent has come up when
// it wrote subnet.env, which one that is still to crash, or to come up a while later,
// did not. Cilium's is ready seconds before it listens where its plugin asks.
func restartAgent(ctx context.Context, t scenario.Target) error {
	old, err := onVictimWith(ctx, t, t.Cluster.CNI.Namespace, t.Cluster.CNI.Selector)
	if err != nil {
		return err
	}
	const before = kept + "/agent-restarted"
	if err := shell(ctx, t, "mkdir -p "+kept+" && touch "+before); err != nil {
		return err
	}
	if err := renew(ctx, t, t.Cluster.CNI.Namespace, t.Cluster.CNI.Selector, old); err != nil {
		return err
	}
	there := map[string]string{
		"flannel": "[ " + subnetEnv + " -nt " + before + " ]",
		"cilium":  "ss -xlH | grep -q " + ciliumSock,
	}[t.Cluster.CNI.Kind]
	err = wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		return shell(ctx, t, there) == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the agent of %s on %s (%s): %w", t.Cluster.CNI.Kind, t.Node, there, err)
	}
	return shell(ctx, t, "rm "+before)
}

// renewProbes replaces the harness' own probe pods on the victim, for faults that
// only pods have that were made after them. By hand (-inject-only) there are none.
func renewProbes(ctx context.Context, t scenario.Target) error {
	const selector = workloads.RunLabel + "," + workloads.ProbeLabel + "=" + workloads.AppPod
	old, err := onVictimWith(ctx, t, metav1.NamespaceAll, selector)
	if err != nil || len(old) == 0 {
		return err
	}
	return renew(ctx, t, old[0].Namespace, selector, old)
}

// onVictimWith are the pods on the victim with these labels.
func onVictimWith(ctx context.Context, t scenario.Target, namespace, selector string) ([]corev1.Pod, error) {
	list, err := t.Cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, FieldSelector: "spec.nodeName=" + t.Node})
	if err != nil {
		return nil, fmt.Errorf("find the pods %s on %s: %w", selector, t.Node, err)
	}
	return list.Items, nil
}

// renew deletes the pods and waits until another one of their kind is ready.
func renew(ctx context.Context, t scenario.Target, namespace, selector string, old []corev1.Pod) error {
	for _, p := range old {
		if err := t.Cluster.Client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete the pod %s: %w", p.Name, err)
		}
	}
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		now, err := onVictimWith(ctx, t, namespace, selector)
		if err != nil {
			return false, nil //nolint:nilerr // asked again until ctx ends
		}
		return slices.ContainsFunc(now, func(p corev1.Pod) bool {
			isOld := slices.ContainsFunc(old, func(o corev1.Pod) bool { return o.UID == p.UID })
			return !isOld && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})
		}), nil
	})
	if err != nil {
		return fmt.Errorf("wait for a new pod %s on %s: %w", selector, t.Node, err)
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
