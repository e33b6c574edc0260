// SPDX-License-Identifier: Apache-2.0

// Package audit holds the checks of area audit: mistakes in the users' own
// objects that look like a broken network. They only read, are advisory, and
// name the object and what to change. What cniproof made itself is left out.
//
// A check lists each kind of object once, a page at a time, and keeps of a pod
// no more than it needs, so that large clusters cost memory by what is wrong in
// them and requests by the page.
package audit

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// timeouts bound the checks: what is wrong in an object stays wrong, so that one
// more look is enough to tell that it was not just being changed.
var timeouts = config.DefaultTimeouts()

// object is a pointer to a kind of object.
type object[T any] interface {
	*T
	metav1.Object
}

// each calls visit for every object that lister yields of all namespaces, a page
// at a time, but for those of cniproof.
func each[T any, P object[T]](ctx context.Context, kind string, lister pager.ListPageFunc, visit func(P)) error {
	others := metav1.ListOptions{LabelSelector: workloads.ManagedByLabel + "!=" + workloads.ManagedBy}
	pages := pager.New(lister)
	pages.PageBufferSize = 1
	err := pages.EachListItem(ctx, others, func(item runtime.Object) error {
		if o, ok := item.(P); ok && !ours(o) {
			visit(o)
		}
		return nil
	})
	if err != nil {
		return &check.Inconclusive{Why: "the " + kind + " of the cluster could not be listed", Err: err}
	}
	return nil
}

// ours tells what cniproof made, in this run or another.
func ours(o metav1.Object) bool {
	namespace, _ := workloads.Namespaces("")
	return strings.HasPrefix(o.GetNamespace(), namespace) || o.GetLabels()[workloads.ManagedByLabel] == workloads.ManagedBy
}

func eachPod(ctx context.Context, env *check.Env, visit func(*corev1.Pod)) error {
	return each(ctx, "pods", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return env.Cluster.Client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
	}, visit)
}

func eachService(ctx context.Context, env *check.Env, visit func(*corev1.Service)) error {
	return each(ctx, "Services", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return env.Cluster.Client.CoreV1().Services(metav1.NamespaceAll).List(ctx, o)
	}, visit)
}

// ended tells a pod that will not run again.
func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// containers are those of the pod that run beside each other: init containers
// that restart always are sidecars (KEP-753).
func containers(pod *corev1.Pod) []corev1.Container {
	all := pod.Spec.Containers[:len(pod.Spec.Containers):len(pod.Spec.Containers)]
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			all = append(all, c)
		}
	}
	return all
}

// owner is what a person would change to change the pod, as kind namespace/name.
func owner(pod *corev1.Pod) string {
	kind, name := "Pod", pod.Name
	if o := metav1.GetControllerOf(pod); o != nil {
		kind, name = o.Kind, o.Name
		if hash := pod.Labels["pod-template-hash"]; kind == "ReplicaSet" && hash != "" && strings.HasSuffix(name, "-"+hash) {
			kind, name = "Deployment", strings.TrimSuffix(name, "-"+hash)
		}
	}
	return kind + " " + pod.Namespace + "/" + name
}
