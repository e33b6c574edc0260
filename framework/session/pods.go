// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/cniproof/cniproof/fixtures/workloads"
)

// podCache follows the run's probe pods: one list and one watch for the whole
// run, however many checks ask.
type podCache struct {
	informer cache.SharedIndexInformer
	stop     chan struct{}
}

// followPods starts to follow the probe pods of the run and waits until they
// are known.
func followPods(ctx context.Context, client kubernetes.Interface, runID string) (*podCache, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = workloads.RunLabel + "=" + runID + "," + workloads.ProbeLabel
	}))
	c := &podCache{informer: factory.Core().V1().Pods().Informer(), stop: make(chan struct{})}
	// At a thousand nodes these are most of what a run holds in memory.
	if err := c.informer.SetTransform(slim); err != nil {
		return nil, fmt.Errorf("follow the probe pods: %w", err)
	}
	go c.informer.Run(c.stop)
	if !cache.WaitForCacheSync(ctx.Done(), c.informer.HasSynced) {
		c.close()
		return nil, fmt.Errorf("list the probe pods: %w", context.Cause(ctx))
	}
	return c, nil
}

// pods are the probe pods as last heard of.
func (c *podCache) pods() []corev1.Pod {
	var pods []corev1.Pod
	for _, object := range c.informer.GetStore().List() {
		pods = append(pods, *object.(*corev1.Pod))
	}
	return pods
}

func (c *podCache) close() { close(c.stop) }

// slim leaves of a probe pod what the run asks for: where it is, whether it is
// ready and why not.
func slim(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	kept := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			Labels: pod.Labels, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec: corev1.PodSpec{NodeName: pod.Spec.NodeName, HostNetwork: pod.Spec.HostNetwork, Affinity: pod.Spec.Affinity},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase, Conditions: pod.Status.Conditions,
			PodIPs: pod.Status.PodIPs, ContainerStatuses: pod.Status.ContainerStatuses,
		},
	}
	for _, c := range pod.Spec.Containers {
		kept.Spec.Containers = append(kept.Spec.Containers, corev1.Container{Name: c.Name})
	}
	return kept, nil
}
