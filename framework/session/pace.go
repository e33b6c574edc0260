// SPDX-License-Identifier: Apache-2.0

package session

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// usualStart is within what a node that is not short of processor makes a probe
// pod ready, as its kubelet tells in whole seconds; mostPace bounds what is
// concluded from a longer time.
const (
	usualStart = 2 * time.Second
	mostPace   = 4
)

// pace is by how much the cluster is slower than the timeouts are meant for, at
// least 1, by what its probe pods took to start: where that takes long,
// programming a Service's rules does too. Half of the nodes may be slower yet,
// since there something may be broken. It is 1 until probe pods are ready and
// stays as it is from then on: what becomes slow later is for the checks to find.
func (s *Session) pace() float64 {
	s.paceLock.Lock()
	defer s.paceLock.Unlock()
	if s.measuredPace == 0 && s.pods != nil {
		started := corev1.PodReady
		if s.Options.ProbeImage != "" { // pulled once the sandbox is there, from wherever
			started = corev1.PodReadyToStartContainers
		}
		s.measuredPace = paceOf(s.pods.pods(), started)
	}
	return max(s.measuredPace, 1)
}

// paceOf is 0 unless most of the pods are ready; started is the condition that ends
// what is measured.
func paceOf(pods []corev1.Pod, started corev1.PodConditionType) float64 {
	var took []time.Duration
	for _, p := range pods {
		if ready(p) {
			took = append(took, since(p, started).Sub(since(p, corev1.PodInitialized)))
		}
	}
	if len(took) == 0 || 2*len(took) < len(pods) {
		return 0
	}
	slices.Sort(took)
	return min(max(float64(took[(len(took)-1)/2])/float64(usualStart), 1), mostPace)
}

// since is when the kubelet last changed the condition, by the node's own clock.
func since(p corev1.Pod, kind corev1.PodConditionType) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}
