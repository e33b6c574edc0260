// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestObjects shows the checks that look at what the API server knows one fault.
func TestObjects(t *testing.T) {
	run(t, map[string]faulty{
		"no known CNI": {check: "cni.agent-ready", given: func(w *world) { w.env.Cluster.CNI.Selector = "" }, want: []string{"not-applicable"}},
		"an agent in a crash loop": {
			check: "cni.agent-ready",
			given: func(w *world) {
				w.pod("flannel-w1").Status.ContainerStatuses[0] = corev1.ContainerStatus{
					Name: "kube-flannel", RestartCount: 4, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 40s"}},
					LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}},
				}
			},
			want: []string{"failed w1"}, says: []string{"kube-flannel waits: CrashLoopBackOff: back-off 40s, restarted 4 times, last exit code 1 (Error)"},
		},
		"an agent just back from a crash": {
			check: "cni.agent-ready",
			given: func(w *world) {
				s := &w.pod("flannel-w1").Status.ContainerStatuses[0]
				s.RestartCount, s.State.Running.StartedAt = 1, metav1.Now()
				s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 2}
			},
			want: []string{"failed w1"}, says: []string{"is back for 0s only"},
		},
		"an agent that restarted long ago": {
			check: "cni.agent-ready",
			given: func(w *world) {
				s := &w.pod("flannel-w1").Status.ContainerStatuses[0]
				s.RestartCount = 9
				s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 2}
			},
		},
		"a node without an agent": {
			check: "cni.agent-ready", given: func(w *world) { w.pod("flannel-w2").Labels = nil },
			want: []string{"failed w2"}, says: []string{"none labelled app=flannel in kube-flannel"},
		},
		"a node not ready, its agent well": {
			check: "cni.agent-ready",
			given: func(w *world) {
				w.pod("flannel-w2").Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
			},
		},
		"an address of another node": {
			check: "sandbox.address-in-node-range",
			given: func(w *world) { w.pod("probe-w2").Status.PodIPs[0].IP = "10.88.0.5" },
			want:  []string{"failed w2"}, says: []string{"ns/probe-w2 on w2 has [10.88.0.5]", "its node's podCIDRs, [10.244.2.0/24]"},
		},
		"a CNI with ranges unknown": {
			check: "sandbox.address-in-node-range", given: func(w *world) { w.env.Cluster.CNI.Kind = "unknown" }, want: []string{"not-applicable"},
		},
		"two pods with one address": {
			check: "sandbox.addresses-unique",
			given: func(w *world) { w.objects = append(w.objects, runningPod("demo", "web", "w1", "10.244.2.2")) },
			want:  []string{"failed w1"}, says: []string{"one pod to hold 10.244.2.2", "demo/web on w1", "ns/probe-w2 on w2"},
		},
		"the address of a pod that has ended": {
			check: "sandbox.addresses-unique",
			given: func(w *world) {
				done := runningPod("demo", "job", "w2", "10.244.2.2")
				done.Status.Phase = corev1.PodSucceeded
				w.objects = append(w.objects, done)
			},
		},
		"stuck creating": {
			check: "sandbox.none-stuck", given: func(w *world) {
				w.stuck("FailedCreatePodSandBox", `plugin type="flannel" failed (add): no IP addresses available`)
			},
			want: []string{"failed w1"}, says: []string{"demo/web", "FailedCreatePodSandBox: plugin type"},
		},
		"stuck for an image": {
			check: "sandbox.none-stuck", given: func(w *world) { w.stuck("FailedMount", "configmap not found") },
		},
		"stuck in silence": {
			check: "sandbox.none-stuck", given: func(w *world) { w.stuck("Scheduled", "assigned") },
			want: []string{"inconclusive w1"}, says: []string{"no event says why"},
		},
		"stuck terminating": {
			check: "sandbox.none-stuck",
			given: func(w *world) {
				w.stuck("FailedKillPod", `failed to "KillPodSandbox" for "x" with KillPodSandboxError: cni plugin not initialized`)
				p := w.pod("web")
				p.DeletionTimestamp, p.Finalizers = &metav1.Time{Time: time.Now().Add(-time.Hour)}, []string{"test/keep"}
			},
			want: []string{"failed w1"}, says: []string{"still terminating 1h0m0s after its grace period", "KillPodSandboxError"},
		},
	})
}

// stuck adds a pod on w1 that is Pending since an hour, and an event of it.
func (w *world) stuck(reason, message string) {
	p := runningPod("demo", "web", "w1", "10.244.1.9")
	p.UID = "u"
	p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Hour)),
	}}}
	w.objects = append(w.objects, p, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "e"}, Reason: reason, Message: message,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "web", UID: "u"},
	})
}
