// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cniproof/cniproof/fixtures/workloads"
)

// removeStale removes what killed runs left behind: namespaces of ours whose
// owner is gone (owner.go).
func (s *Session) removeStale(ctx context.Context) error {
	list, err := s.Cluster.Client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: workloads.ManagedByLabel + "=" + workloads.ManagedBy})
	if err != nil {
		return fmt.Errorf("look for leftovers of earlier runs: %w", err)
	}
	for _, ns := range list.Items {
		if !stale(ns.Annotations, time.Now()) {
			continue
		}
		s.printf("removing %s, left behind by a run that was killed", ns.Name)
		ctx, cancel := context.WithTimeout(ctx, s.Options.Timeouts.Cleanup)
		err := s.removeNamespace(ctx, ns.Name)
		cancel()
		if err != nil {
			return fmt.Errorf("remove the leftover namespace %s: %w", ns.Name, err)
		}
	}
	return nil
}

// removeNamespace deletes a namespace and waits until it is gone. Pods that
// their kubelet does not confirm in half the time (a dead node, a CNI that
// fails DEL) are removed from the API server without it.
func (s *Session) removeNamespace(ctx context.Context, name string) error {
	core := s.Cluster.Client.CoreV1()
	// The workloads first: the namespace controller only looks again after
	// seconds when it finds pods that are still terminating.
	err := s.Cluster.Client.AppsV1().DaemonSets(name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the DaemonSets of %s: %w", name, err)
	}
	if err := core.Pods(name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the pods of %s: %w", name, err)
	}
	noPods := func(ctx context.Context) (bool, error) {
		pods, err := core.Pods(name).List(ctx, metav1.ListOptions{})
		return err == nil && len(pods.Items) == 0, nil
	}
	if wait.PollUntilContextTimeout(ctx, pollEvery, s.Options.Timeouts.Cleanup/4, true, noPods) != nil {
		now := int64(0)
		s.printf("pods of %s are not confirmed dead by their kubelets, removing them by force", name)
		if err := core.Pods(name).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}); err != nil {
			return fmt.Errorf("delete the pods of %s by force: %w", name, err)
		}
	}
	if err := core.Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	err = wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		_, err := core.Namespaces().Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("namespace %s is still terminating; see kubectl get namespace %s -o yaml", name, name)
	}
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
