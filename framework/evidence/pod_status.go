// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubectl/pkg/describe"
)

var _ = Register(Collector{
	Name: "pod-status", Title: "pod status and events", Always: true,
	Steps: []Step{{Command: "kubectl describe pod -n <namespace> <pod>", Yields: "pods/<namespace>/<pod>/describe.txt"}},
	Once:  collectPodStatus,
})

// mostDescribed is how many pods are described.
const mostDescribed = 60

// collectPodStatus describes the pods involved, those the pod network depends
// on that are not healthy, and the run's own, in this order.
func collectPodStatus(ctx context.Context, c *cluster.Cluster, s Subject, w *Writer) error {
	var pods []corev1.Pod
	var errs []error
	add := func(pod corev1.Pod) {
		if !slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.UID == pod.UID && p.Name == pod.Name && p.Namespace == pod.Namespace }) {
			pods = append(pods, pod)
		}
	}
	for _, name := range s.Pods {
		namespace, name, _ := strings.Cut(name, "/")
		pod, err := c.Client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			w.fail(w.begin(describeCommand(namespace, name)), err)
			continue
		}
		add(*pod)
	}
	system, err := unhealthyWorkloads(ctx, c)
	errs = append(errs, err)
	for _, pod := range system {
		add(pod)
	}
	for _, namespace := range s.Namespaces {
		list, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			errs = append(errs, fmt.Errorf("list pods of %s: %w", namespace, err))
			continue
		}
		slices.SortStableFunc(list.Items, func(a, b corev1.Pod) int { return rank(a) - rank(b) })
		for _, pod := range list.Items {
			add(pod)
		}
	}
	if len(pods) > mostDescribed {
		errs = append(errs, fmt.Errorf("%d more pods are not described", len(pods)-mostDescribed))
		pods = pods[:mostDescribed]
	}
	events := map[string][]corev1.Event{}
	for _, pod := range pods {
		if _, known := events[pod.Namespace]; !known {
			list, err := listEvents(ctx, c, eventList{namespace: pod.Namespace})
			errs = append(errs, err)
			events[pod.Namespace] = list
		}
		w.describePod(pod, events[pod.Namespace])
	}
	return errors.Join(errs...)
}

func describeCommand(namespace, name string) string {
	return fmt.Sprintf("kubectl describe pod -n %s %s", namespace, name)
}

// describePod prints the pod with kubectl's own code. Its events are chosen as
// kubectl chooses them: by name and UID, which is an annotation's value for a
// static pod.
func (w *Writer) describePod(pod corev1.Pod, events []corev1.Event) {
	item := w.begin(describeCommand(pod.Namespace, pod.Name))
	item.Path = fmt.Sprintf("pods/%s/%s/describe.txt", pod.Namespace, fileName(pod.Name))
	item.Node, item.Pod = pod.Spec.NodeName, pod.Namespace+"/"+pod.Name
	own := &corev1.EventList{}
	for _, e := range events {
		uid := string(e.InvolvedObject.UID)
		if e.InvolvedObject.Name == pod.Name && (uid == string(pod.UID) || uid != "" && uid == pod.Annotations[corev1.MirrorPodAnnotationKey]) {
			own.Items = append(own.Items, e)
		}
	}
	text, err := describe.DefaultObjectDescriber.DescribeObject(&pod, own)
	if err != nil {
		w.fail(item, err)
		return
	}
	w.saveText(item, text)
}

// unhealthyWorkloads are the pods of all known workloads that are not healthy,
// wherever they run.
func unhealthyWorkloads(ctx context.Context, c *cluster.Cluster) ([]corev1.Pod, error) {
	var found []corev1.Pod
	var errs []error
	for _, namespace := range systemNamespaces(c) {
		list, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			errs = append(errs, fmt.Errorf("list pods of %s: %w", namespace, err))
			continue
		}
		for _, pod := range list.Items {
			if !healthy(pod) && ofWorkload(pod) {
				found = append(found, pod)
			}
		}
	}
	return found, errors.Join(errs...)
}

func ofWorkload(pod corev1.Pod) bool {
	for _, load := range known() {
		selector, err := labels.Parse(load.selector)
		if err == nil && selector.Matches(labels.Set(pod.Labels)) {
			return true
		}
	}
	return false
}

// systemNamespaces are where the pod network's own pods run.
func systemNamespaces(c *cluster.Cluster) []string {
	namespaces := []string{metav1.NamespaceSystem}
	if c.CNI.Namespace != "" && c.CNI.Namespace != metav1.NamespaceSystem {
		namespaces = append(namespaces, c.CNI.Namespace)
	}
	return namespaces
}

// everyNamespace are those involved and the pod network's own, sorted.
func everyNamespace(c *cluster.Cluster, s Subject) []string {
	namespaces := append(s.involved(), systemNamespaces(c)...)
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}
