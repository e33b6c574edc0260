// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/config"
)

// State is what is known of one pod.
type State struct {
	Name, Namespace string
	// Node is where it was to go.
	Node string
	// Refused is why the API server did not take the pod.
	Refused error
	// Pod is the object as last seen; nil before it was.
	Pod *corev1.Pod
	// Scheduled, Sandboxed, Ending and Gone are when news of it arrived here:
	// that the pod was bound to its node, had its sandbox, was to be deleted, was
	// removed. They are this process's clock and finer than the API's own times,
	// which have whole seconds. Zero means not yet.
	Scheduled, Sandboxed, Ending, Gone time.Time
	// Sign is by what it was seen that the pod has its sandbox.
	Sign string
	// Troubles are what was complained of, the latest last.
	Troubles []Trouble
	// Seen is when this copy was taken.
	Seen time.Time

	// troubled is when the first complaint arrived.
	troubled time.Time
	// late tells that a time is not when it happened, because a watch had a gap
	// just before.
	late bool
}

// Stage is something a pod may have reached.
type Stage func(State) bool

// Stages.
var (
	// Sandboxed is reached by a pod whose sandbox is made, network included.
	Sandboxed Stage = func(s State) bool { return !s.Sandboxed.IsZero() }
	// Serving is reached by a pod whose container runs and has an address.
	Serving Stage = func(s State) bool {
		return s.Pod != nil && s.Pod.Status.PodIP != "" && slices.ContainsFunc(s.Pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
			return c.State.Running != nil
		})
	}
	// Gone is reached by a pod whose object was removed, which the kubelet has
	// done only after its sandbox was stopped.
	Gone Stage = func(s State) bool { return !s.Gone.IsZero() || s.Refused != nil }
)

// Latency is the time from the news that the pod was bound to its node to the
// news that it had its sandbox. It is false where that is not known: the pod
// has none, or a watch was interrupted in between.
func (s State) Latency() (time.Duration, bool) {
	if s.Scheduled.IsZero() || s.Sandboxed.IsZero() || s.late {
		return 0, false
	}
	return s.Sandboxed.Sub(s.Scheduled), true
}

// Removal is the time from the news that the pod was to be deleted to the news
// that it was gone; false where that is not known.
func (s State) Removal() (time.Duration, bool) {
	if s.Ending.IsZero() || s.Gone.IsZero() || s.late {
		return 0, false
	}
	return s.Gone.Sub(s.Ending), true
}

// decided tells that the pod will not get further, or not for a reason that
// waiting would change.
func (s State) decided() bool {
	if s.Refused != nil || !s.Gone.IsZero() {
		return true
	}
	t, ok := s.Trouble()
	if !ok || t.Kind == Scheduling || t.Kind == Image || t.Kind == Volume {
		return ok
	}
	// An agent that is just restarting fails the first tries; the kubelet goes
	// on trying, every second or every ten.
	return t.Count > 1 && s.Seen.Sub(s.troubled) >= settle
}

// settle is how long sandboxes must have failed for that to be the answer.
var settle = config.DefaultTimeouts().SandboxSettle

// Trouble is what keeps the pod now, the latest complaint with the count of all
// of its kind; false when there is none. What it has got over is no trouble.
func (s State) Trouble() (Trouble, bool) {
	if s.Pod != nil {
		if t, ok := FromStatus(s.Pod); ok {
			return t, true
		}
	}
	var last Trouble
	counts := map[Kind]int{}
	for _, t := range s.Troubles {
		if !s.over(t) {
			last = t
			counts[t.Kind] += t.Count
		}
	}
	last.Count = counts[last.Kind]
	return last, last.Count > 0
}

// over tells that the pod got past the trouble.
func (s State) over(t Trouble) bool {
	switch t.Reason {
	case failedScheduling:
		return !s.Scheduled.IsZero()
	case failedCreate, failedStatus, networkNotReady:
		return !s.Sandboxed.IsZero()
	}
	return false
}

// take takes in the pod as it was seen at now; broken is when the watch last
// had a gap.
func (s *State) take(pod *corev1.Pod, now, broken time.Time) {
	s.Pod = pod
	if s.Scheduled.IsZero() && pod.Spec.NodeName != "" {
		s.Scheduled = now
	}
	if s.Ending.IsZero() && pod.DeletionTimestamp != nil {
		s.Ending = now
	}
	if s.Sandboxed.IsZero() {
		if sign := SeenBy(pod); sign != "" {
			s.Sandboxed, s.Sign = now, sign
			s.late = now.Equal(s.Scheduled) || broken.After(s.Scheduled)
		}
	}
}

// complain takes in a trouble; the same event seen again replaces itself.
func (s *State) complain(t Trouble, now time.Time) {
	if s.troubled.IsZero() {
		s.troubled = now
	}
	s.Troubles = append(slices.DeleteFunc(s.Troubles, func(known Trouble) bool { return known.event == t.event }), t)
}

// SeenBy names what shows that the pod has its sandbox, empty when nothing
// does. It is the condition PodReadyToStartContainers (KEP-3085) where the
// kubelet sets it (1.29 and later by default), else the first thing that can
// only be had with a sandbox. The kubelet sets the condition at once since
// 1.35; before, when it next looks at the pod, up to a second later.
func SeenBy(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReadyToStartContainers {
			if c.Status == corev1.ConditionTrue {
				return string(c.Type)
			}
			return ""
		}
	}
	if pod.Status.PodIP != "" {
		return "its address"
	}
	for _, c := range pod.Status.ContainerStatuses {
		if c.ContainerID != "" {
			return "its container"
		}
	}
	return ""
}

// After is the time since the pod was scheduled, for people.
func (s State) After() string {
	if s.Scheduled.IsZero() {
		return "before it was scheduled"
	}
	return fmt.Sprintf("%.1f s after it was scheduled", s.Seen.Sub(s.Scheduled).Seconds())
}
