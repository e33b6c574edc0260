// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"

	"github.com/cniproof/cniproof/framework/check"
)

// eachPod calls visit for every pod of the cluster, a page at a time so that a
// large cluster's pods are never all in memory.
func eachPod(ctx context.Context, env *check.Env, visit func(*corev1.Pod)) error {
	list := func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return env.Cluster.Client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
	}
	err := pager.New(list).EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		if pod, ok := object.(*corev1.Pod); ok {
			visit(pod)
		}
		return nil
	})
	if err != nil {
		return &check.Inconclusive{Why: "the pods of the cluster could not be listed", Err: err}
	}
	return nil
}

// holder is a pod that holds addresses of the pod network.
type holder struct {
	ref, node string
	addrs     []netip.Addr
}

// holderOf is the pod as a holder of its addresses; false for one that does not
// hold them for certain: on the host network, ended, being deleted, or without
// its sandbox. Such a pod's status still names the address it had, which may be
// another's by now.
func holderOf(pod *corev1.Pod) (holder, bool) {
	h := holder{ref: pod.Namespace + "/" + pod.Name, node: pod.Spec.NodeName}
	if pod.Spec.HostNetwork || pod.DeletionTimestamp != nil ||
		pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return h, false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReadyToStartContainers && c.Status == corev1.ConditionFalse {
			return h, false
		}
	}
	for _, ip := range pod.Status.PodIPs {
		if addr, err := netip.ParseAddr(ip.IP); err == nil {
			h.addrs = append(h.addrs, addr.Unmap())
		}
	}
	return h, len(h.addrs) > 0
}
