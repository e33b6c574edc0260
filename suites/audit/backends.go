// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/cniproof/cniproof/framework/check"
)

// backing is a Service with a selector and what its pods were seen to be.
type backing struct {
	ref      string
	service  *corev1.Service
	selector labels.Selector
	pods     int
	ready    int
	// waits is why a pod that is not ready is not, waiting that pod as
	// namespace/name and on its node, empty where it has none.
	waits, waiting, on string
	// ports are, by index, what is known of the Service's ports in its pods.
	ports []portUse
}

// term is one label that the pods of a Service have.
type term struct{ namespace, key, value string }

// backings reads the Services with a selector and then all pods, keeping none of
// these. A pod finds its Services by one label of each, so that many Services
// in one namespace do not cost a comparison for every pod.
func backings(ctx context.Context, env *check.Env) ([]*backing, error) {
	var all []*backing
	byTerm := map[term][]*backing{}
	err := eachService(ctx, env, func(s *corev1.Service) {
		if len(s.Spec.Selector) == 0 || s.Spec.Type == corev1.ServiceTypeExternalName {
			return
		}
		slim := &corev1.Service{Spec: corev1.ServiceSpec{Selector: s.Spec.Selector, Ports: s.Spec.Ports, PublishNotReadyAddresses: s.Spec.PublishNotReadyAddresses}}
		b := &backing{
			ref: s.Namespace + "/" + s.Name, service: slim, selector: labels.SelectorFromValidatedSet(s.Spec.Selector),
			ports: make([]portUse, len(s.Spec.Ports)),
		}
		key := slices.Min(slices.Collect(maps.Keys(s.Spec.Selector)))
		t := term{s.Namespace, key, s.Spec.Selector[key]}
		all, byTerm[t] = append(all, b), append(byTerm[t], b)
	})
	if err != nil {
		return nil, err
	}
	err = eachPod(ctx, env, func(pod *corev1.Pod) {
		if ended(pod) {
			return
		}
		for key, value := range pod.Labels {
			for _, b := range byTerm[term{pod.Namespace, key, value}] {
				if b.selector.Matches(labels.Set(pod.Labels)) {
					b.take(pod)
				}
			}
		}
	})
	return all, err
}

// take takes in a pod of the Service.
func (b *backing) take(pod *corev1.Pod) {
	b.pods++
	if why := unready(pod); why == "" {
		b.ready++
	} else if b.waits == "" {
		b.waits, b.waiting, b.on = pod.Name+": "+why, pod.Namespace+"/"+pod.Name, pod.Spec.NodeName
	}
	for i, p := range b.service.Spec.Ports {
		b.ports[i].take(pod, p)
	}
}

// unready says why the pod is not ready, empty when it is.
func unready(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "" && !c.Ready {
			return "container " + c.Name + " waits: " + w.Reason
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodReady {
			continue
		}
		if c.Status == corev1.ConditionTrue {
			return ""
		}
		if c.Message != "" {
			return c.Message
		}
	}
	return "it is " + string(pod.Status.Phase) + " and not ready"
}
