// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/scenario"
	"github.com/cniproof/cniproof/framework/session"
)

// shop is the namespace of the application of somebody that some faults are
// about, and web its pod and its Service. The namespace is labelled as
// cniproof's, the objects in it are not: checks leave out what cniproof made.
const (
	shop = "shop"
	web  = "web"
)

// openShop makes the application on the victim: a pod that edit may change, and a
// Service in front of it. As made, it is the pause image, which every node has,
// and answers nobody.
func openShop(ctx context.Context, t scenario.Target, edit func(*corev1.Pod)) error {
	image, err := imageOn(ctx, t, "/pause:")
	if err != nil {
		return err
	}
	core := t.Cluster.Client.CoreV1()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: shop, Labels: map[string]string{workloads.ManagedByLabel: workloads.ManagedBy}, Annotations: session.Ownership(),
	}}
	// That of the last application may be on its way out.
	err = wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		_, err := core.Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			return true, err
		}
		old, err := core.Namespaces().Get(ctx, shop, metav1.GetOptions{})
		return err == nil && old.DeletionTimestamp == nil, ignoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("create namespace %s: %w", shop, err)
	}
	labels, soon := map[string]string{"app": web}, int64(1)
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: web, Namespace: shop},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}
	if _, err := core.Services(shop).Create(ctx, service, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Service %s/%s: %w", shop, web, err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: web, Namespace: shop, Labels: labels},
		Spec: corev1.PodSpec{
			NodeSelector:                  map[string]string{corev1.LabelHostname: t.Node},
			TerminationGracePeriodSeconds: &soon,
			Containers:                    []corev1.Container{{Name: web, Image: image, ImagePullPolicy: corev1.PullIfNotPresent}},
		},
	}
	edit(pod)
	// The namespace's ServiceAccount is made a moment after it.
	err = wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		_, err := core.Pods(shop).Create(ctx, pod, metav1.CreateOptions{})
		if err == nil || apierrors.IsAlreadyExists(err) {
			return true, nil
		}
		return false, onlyForbidden(err)
	})
	if err != nil {
		return fmt.Errorf("create pod %s/%s: %w", shop, web, err)
	}
	return nil
}

// awaitWeb waits until the pod of the application has come to what the fault makes
// of it.
func awaitWeb(ctx context.Context, t scenario.Target, arrived func(*corev1.Pod) bool) error {
	var last corev1.PodStatus
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		pod, err := t.Cluster.Client.CoreV1().Pods(shop).Get(ctx, web, metav1.GetOptions{})
		if err != nil {
			return false, nil //nolint:nilerr // asked again until ctx ends
		}
		last = pod.Status
		return arrived(pod), nil
	})
	if err != nil {
		return fmt.Errorf("wait for pod %s/%s to show the fault: it is %s: %w", shop, web, last.Phase, err)
	}
	return nil
}

// waitsFor tells whether the pod's container waits for one of these reasons.
func waitsFor(reasons ...string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool {
		return slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
			return c.State.Waiting != nil && slices.Contains(reasons, c.State.Waiting.Reason)
		})
	}
}

// onlyForbidden is nil for a refusal, which may be about what is not there yet.
func onlyForbidden(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

// closeShop removes the application, by force since the victim's kubelet may not
// confirm that its pod ended. The empty namespace follows: the API server takes seconds
// to begin with it.
func closeShop(ctx context.Context, t scenario.Target) error {
	core := t.Cluster.Client.CoreV1()
	now := int64(0)
	if err := core.Pods(shop).Delete(ctx, web, metav1.DeleteOptions{GracePeriodSeconds: &now}); ignoreNotFound(err) != nil {
		return fmt.Errorf("delete pod %s/%s: %w", shop, web, err)
	}
	if err := core.Services(shop).Delete(ctx, web, metav1.DeleteOptions{}); ignoreNotFound(err) != nil {
		return fmt.Errorf("delete Service %s/%s: %w", shop, web, err)
	}
	// A conflict: it is terminating already.
	if err := core.Namespaces().Delete(ctx, shop, metav1.DeleteOptions{}); ignoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete namespace %s: %w", shop, err)
	}
	return nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// imageOn is an image the victim has, by a part of its name.
func imageOn(ctx context.Context, t scenario.Target, part string) (string, error) {
	node, err := t.Cluster.Client.CoreV1().Nodes().Get(ctx, t.Node, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read the images of %s: %w", t.Node, err)
	}
	for _, image := range node.Status.Images {
		for _, name := range image.Names {
			if strings.Contains(name, part) {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("node %s has no image whose name has %q", t.Node, part)
}

func lookAtShop(scenario.Target) []string {
	return []string{
		"kubectl -n shop get pods,services,endpointslices -o wide",
		"kubectl -n shop describe pod web",
	}
}
