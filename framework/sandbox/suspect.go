// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/config"
)

// Suspect is a pod of the users' that is stuck, for whatever reason: its events
// tell (FromEvent).
type Suspect struct {
	// Ref is namespace/name.
	Ref, Namespace, Node string
	UID                  types.UID
	// Wanted is what it should have got to, Stuck how it is instead.
	Wanted, Stuck string
	// Ending tells a pod that is being deleted. Of others an event is due: one
	// of which none tells is suspicious too.
	Ending bool
}

// Suspicion tells whether the pod is stuck at now: on a node for longer than
// Timeouts.Stuck and still without its sandbox, or still there that long after
// its deletion. The harness's own pods and those on the host network are not.
func Suspicion(pod *corev1.Pod, now time.Time) (Suspect, bool) {
	s := Suspect{Ref: pod.Namespace + "/" + pod.Name, Namespace: pod.Namespace, Node: pod.Spec.NodeName, UID: pod.UID}
	if pod.Spec.NodeName == "" || pod.Spec.HostNetwork || pod.Labels[workloads.ManagedByLabel] == workloads.ManagedBy {
		return s, false
	}
	patience := config.DefaultTimeouts().Stuck
	if pod.DeletionTimestamp != nil {
		// It already has the grace period in it.
		overdue := now.Sub(pod.DeletionTimestamp.Time)
		s.Wanted, s.Stuck, s.Ending = "the deleted pod to be gone", fmt.Sprintf("still terminating %s after its grace period", overdue.Round(time.Second)), true
		return s, overdue > patience
	}
	if pod.Status.Phase != corev1.PodPending || SeenBy(pod) != "" {
		return s, false
	}
	since := pod.CreationTimestamp.Time
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			since = c.LastTransitionTime.Time
		}
	}
	s.Wanted, s.Stuck = "a pod sandbox", fmt.Sprintf("none %s after it was scheduled", now.Sub(since).Round(time.Second))
	return s, now.Sub(since) > patience
}
