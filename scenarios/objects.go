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
	"k8s.io/client-go/util/retry"

	"github.com/cniproof/cniproof/framework/scenario"
)

// original is the annotation that keeps what a fault replaced in a ConfigMap.
const original = "cniproof.io/original"

// editConfigMap replaces a key of a ConfigMap by what edit makes of the original.
func editConfigMap(ctx context.Context, t scenario.Target, namespace, name, key string, edit func(string) string) error {
	return updateConfigMap(ctx, t, namespace, name, func(m *corev1.ConfigMap) {
		if m.Annotations == nil {
			m.Annotations = map[string]string{}
		}
		if _, ok := m.Annotations[original]; !ok {
			m.Annotations[original] = m.Data[key]
		}
		m.Data[key] = edit(m.Annotations[original])
	})
}

// restoreConfigMap undoes editConfigMap.
func restoreConfigMap(ctx context.Context, t scenario.Target, namespace, name, key string) error {
	return updateConfigMap(ctx, t, namespace, name, func(m *corev1.ConfigMap) {
		if text, ok := m.Annotations[original]; ok {
			m.Data[key] = text
			delete(m.Annotations, original)
		}
	})
}

func updateConfigMap(ctx context.Context, t scenario.Target, namespace, name string, change func(*corev1.ConfigMap)) error {
	maps := t.Cluster.Client.CoreV1().ConfigMaps(namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		m, err := maps.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(m)
		_, err = maps.Update(ctx, m, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("change ConfigMap %s/%s: %w", namespace, name, err)
	}
	return nil
}

// patchDaemonSet applies a strategic merge patch.
func patchDaemonSet(ctx context.Context, t scenario.Target, namespace, name, patch string) error {
	_, err := t.Cluster.Client.AppsV1().DaemonSets(namespace).Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change DaemonSet %s/%s: %w", namespace, name, err)
	}
	return nil
}

// patchDeployment applies a strategic merge patch.
func patchDeployment(ctx context.Context, t scenario.Target, namespace, name, patch string) error {
	_, err := t.Cluster.Client.AppsV1().Deployments(namespace).Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change Deployment %s/%s: %w", namespace, name, err)
	}
	return nil
}

// patchService applies a JSON merge patch: a strategic one merges ports by number,
// and DNS has one number twice.
func patchService(ctx context.Context, t scenario.Target, namespace, name, patch string) error {
	_, err := t.Cluster.Client.CoreV1().Services(namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change Service %s/%s: %w", namespace, name, err)
	}
	return nil
}

// absentFrom makes a DaemonSet leave the victim alone, and presentOn undoes it.
// Its pods on other nodes are not replaced.
func absentFrom(ctx context.Context, t scenario.Target, namespace, name string) error {
	return patchDaemonSet(ctx, t, namespace, name, fmt.Sprintf(`{"spec":{"updateStrategy":{"$retainKeys":["type"],"type":"OnDelete"},"template":{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"NotIn","values":[%q]}]}]}}}}}}}`, t.Node))
}

func presentOn(ctx context.Context, t scenario.Target, namespace, name string) error {
	return patchDaemonSet(ctx, t, namespace, name, `{"spec":{"updateStrategy":{"type":"RollingUpdate"},"template":{"spec":{"affinity":null}}}}`)
}

// deletePods deletes the pods with the labels on the node, or on all where node
// is empty, and does not wait.
func deletePods(ctx context.Context, t scenario.Target, namespace, selector, node string) error {
	soon := int64(1)
	options := metav1.ListOptions{LabelSelector: selector}
	if node != "" {
		options.FieldSelector = "spec.nodeName=" + node
	}
	err := t.Cluster.Client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &soon}, options)
	if err != nil {
		return fmt.Errorf("delete the pods %s in %s: %w", selector, namespace, err)
	}
	return nil
}

// podsReady waits until every pod with the labels on the node is ready, and
// there is one.
func podsReady(ctx context.Context, t scenario.Target, namespace, selector, node string) error {
	options := metav1.ListOptions{LabelSelector: selector, FieldSelector: "spec.nodeName=" + node}
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		pods, err := t.Cluster.Client.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil || len(pods.Items) == 0 {
			return false, nil //nolint:nilerr // asked again until ctx ends
		}
		return !slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool {
			return p.DeletionTimestamp != nil || !slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})
		}), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the pods %s in %s on %s: %w", selector, namespace, node, err)
	}
	return nil
}
