// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/config"
)

// removeStale removes what killed runs left behind: namespaces of ours whose
// owner is gone (owner.go).
func (s *Session) removeStale(ctx context.Context) error {
	list, err := s.Cluster.Client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: workloads.ManagedByLabel + "=" + workloads.ManagedBy})
	if err != nil {
		return fmt.Errorf("look for leftovers of earlier runs: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.Options.Timeouts.Cleanup)
	defer cancel()
	var removals errgroup.Group
	for _, ns := range list.Items {
		if !stale(ns.Annotations, time.Now()) {
			continue
		}
		s.printf("removing %s, left behind by a run that was killed", ns.Name)
		removals.Go(func() error {
			if err := s.remover().remove(ctx, ns.Name); err != nil {
				return fmt.Errorf("remove the leftover namespace %s: %w", ns.Name, err)
			}
			return nil
		})
	}
	return removals.Wait()
}

// RemoveNamespaces deletes namespaces of ours, pods first, and waits until they are
// gone, for as long as Timeouts.Cleanup; those that are not there are fine. log
// takes a line where pods have to be removed by force.
func RemoveNamespaces(ctx context.Context, client kubernetes.Interface, timeouts config.Timeouts, log func(format string, args ...any), names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, timeouts.Cleanup)
	defer cancel()
	r := remover{client, timeouts, log}
	removed := make(chan error)
	for _, name := range names {
		go func() { removed <- r.remove(ctx, name) }()
	}
	var errs []error
	for range names {
		errs = append(errs, <-removed)
	}
	return errors.Join(errs...)
}

type remover struct {
	client   kubernetes.Interface
	timeouts config.Timeouts
	log      func(format string, args ...any)
}

func (s *Session) remover() remover { return remover{s.Cluster.Client, s.Options.Timeouts, s.printf} }

// remove deletes a namespace and waits until it is gone. The namespace
// controller begins five seconds after the request (namespaceDeletionGracePeriod
// of its source) and looks again only after more when it finds pods that are
// still terminating: what runs there is deleted meanwhile. Pods that their
// kubelet does not confirm in a quarter of the time (a dead node, a CNI that
// fails DEL) are removed from the API server without it.
func (r remover) remove(ctx context.Context, name string) error {
	core := r.client.CoreV1()
	err := core.Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	// A conflict is a namespace that is terminating already.
	if err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	// The Services first, or each of their backends that goes is a change of them.
	// That only saves work, and they go with the namespace anyway.
	if services, err := core.Services(name).List(ctx, metav1.ListOptions{}); err == nil {
		for _, service := range services.Items {
			_ = core.Services(name).Delete(ctx, service.Name, metav1.DeleteOptions{})
		}
	}
	// The DaemonSets before their pods, or they would make them anew.
	if err := r.client.AppsV1().DaemonSets(name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("delete the DaemonSets of %s: %w", name, err)
	}
	if err := core.Pods(name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("delete the pods of %s: %w", name, err)
	}
	force := time.After(r.timeouts.Cleanup / 4)
	err = wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		select {
		case <-force:
			return false, r.forcePods(ctx, name)
		default:
		}
		_, err := core.Namespaces().Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("namespace %s is still terminating; see kubectl get namespace %s -o yaml", name, name)
	}
	return err
}

// forcePods removes the pods of a namespace that are left.
func (r remover) forcePods(ctx context.Context, namespace string) error {
	pods := r.client.CoreV1().Pods(namespace)
	left, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil || len(left.Items) == 0 {
		return nil //nolint:nilerr // it is still being waited for
	}
	r.log("pods of %s are not confirmed dead by their kubelets, removing them by force", namespace)
	now := int64(0)
	if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("delete the pods of %s by force: %w", namespace, err)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
