// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cniproof/cniproof/framework/check"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

// bound is a pod on its node, started one whose status the kubelet has written.
func bound(conditions ...corev1.PodCondition) *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Conditions: conditions, StartTime: &metav1.Time{Time: epoch}}}
}

func sandboxReady(status corev1.ConditionStatus) corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: status}
}

func TestLatencyIsBetweenArrivals(t *testing.T) {
	var s State
	s.take(&corev1.Pod{}, at(0), time.Time{})
	s.take(bound(), at(10), time.Time{})
	s.take(bound(sandboxReady(corev1.ConditionFalse)), at(20), time.Time{})
	if _, ok := s.Latency(); ok {
		t.Fatal("a latency without a sandbox")
	}
	s.take(bound(sandboxReady(corev1.ConditionTrue)), at(347), time.Time{})
	s.take(bound(sandboxReady(corev1.ConditionTrue)), at(900), time.Time{})
	if got, ok := s.Latency(); !ok || got != 337*time.Millisecond {
		t.Errorf("latency %v, %v; wanted 337ms", got, ok)
	}
}

func TestLatencyIsUnknownWhenTheWatchWasInterrupted(t *testing.T) {
	var both, gap State
	both.take(bound(sandboxReady(corev1.ConditionTrue)), at(5), time.Time{})
	if _, ok := both.Latency(); ok {
		t.Error("a latency though both were seen at once")
	}
	gap.take(bound(), at(10), at(3))
	gap.take(bound(sandboxReady(corev1.ConditionTrue)), at(400), at(200))
	if _, ok := gap.Latency(); ok {
		t.Error("a latency though the watch had a gap in between")
	}
}

func TestSeenByOlderKubelets(t *testing.T) {
	addressed, contained := bound(), bound()
	addressed.Status.PodIP = "10.244.1.7"
	contained.Status.ContainerStatuses = []corev1.ContainerStatus{{ContainerID: "containerd://aa"}}
	denied := bound(sandboxReady(corev1.ConditionFalse))
	denied.Status.PodIP = "10.244.1.7" // of a sandbox that is gone
	for _, c := range []struct {
		pod  *corev1.Pod
		want string
	}{{bound(), ""}, {addressed, "its address"}, {contained, "its container"}, {denied, ""}, {bound(sandboxReady(corev1.ConditionTrue)), "PodReadyToStartContainers"}} {
		if got := SeenBy(c.pod); got != c.want {
			t.Errorf("seen by %q, wanted %q", got, c.want)
		}
	}
}

func event(id types.UID, reason, message string, count int32) Trouble {
	e := corev1.Event{Reason: reason, Message: message, Count: count}
	e.UID = id
	t, _ := FromEvent(&e)
	return t
}

func TestDecidedOnlyWhenFailuresLast(t *testing.T) {
	s := State{Node: "n", Namespace: "ns", Name: "p"}
	s.take(bound(), at(0), time.Time{})
	s.complain(event("1", failedCreate, "plugin type=\"flannel\" failed (add)", 1), at(100))
	if s.Seen = at(60_000); s.decided() {
		t.Error("decided after one failure")
	}
	s.complain(event("2", networkNotReady, "cni plugin not initialized", 1), at(1200))
	if s.Seen = at(1300); s.decided() {
		t.Error("decided after a second")
	}
	// The event is the same one, seen again.
	s.complain(event("2", networkNotReady, "cni plugin not initialized", 4), at(5000))
	if s.Seen = at(10_200); !s.decided() {
		t.Error("not decided after ten seconds")
	}
	trouble, _ := s.Trouble()
	if trouble.Count != 5 || trouble.Reason != networkNotReady {
		t.Errorf("trouble %v, wanted NetworkNotReady, five times in all", trouble)
	}
	s.take(bound(sandboxReady(corev1.ConditionTrue)), at(11_000), time.Time{})
	if _, ok := s.Trouble(); ok || s.decided() {
		t.Error("what the pod got over still counts")
	}
}

func TestStarted(t *testing.T) {
	unschedulable := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available: 1 Too many pods",
	}}}}
	untouched := bound()
	untouched.Status.StartTime = nil
	for name, c := range map[string]struct {
		state State
		want  error
		says  string
	}{
		"sandbox":       {State{Pod: bound(), Scheduled: at(0), Sandboxed: at(1)}, nil, ""},
		"refused":       {State{Refused: errors.New("quota")}, &check.Inconclusive{}, "quota"},
		"unseen":        {State{}, &check.Inconclusive{}, "not scheduled"},
		"unschedulable": {State{Pod: unschedulable}, &check.Inconclusive{}, "Too many pods"},
		"its own image": {State{Pod: bound(), Scheduled: at(0), Troubles: []Trouble{event("1", failedCreate, `failed to get sandbox image "pause"`, 1)}}, &check.Failure{}, "sandbox image"},
		"image":         {State{Pod: bound(), Scheduled: at(0), Troubles: []Trouble{event("1", "Failed", `Failed to pull image "web"`, 1)}}, &check.Inconclusive{}, "not for the network"},
		"network":       {State{Pod: bound(), Scheduled: at(0), Troubles: []Trouble{event("1", networkNotReady, "cni plugin not initialized", 3)}}, &check.Failure{}, "NetworkNotReady (x3): cni plugin not initialized"},
		"runtime":       {State{Pod: bound(), Scheduled: at(0), Troubles: []Trouble{event("1", failedCreate, "OCI runtime create failed", 1)}}, &check.Failure{}, "OCI runtime"},
		"silence":       {State{Pod: bound(), Scheduled: at(0), Seen: at(19_800)}, &check.Failure{}, "none 19.8 s after it was scheduled, and no event says why"},
		"dead kubelet":  {State{Pod: untouched, Scheduled: at(0), Seen: at(5000)}, &check.Failure{}, "not taken up"},
	} {
		got := Started(c.state)
		var failure, wantedFailure *check.Failure
		var unknown, wantedUnknown *check.Inconclusive
		if errors.As(got, &failure) != errors.As(c.want, &wantedFailure) || errors.As(got, &unknown) != errors.As(c.want, &wantedUnknown) {
			t.Errorf("%s: outcome %T, wanted %T", name, got, c.want)
			continue
		}
		if got != nil && !strings.Contains(got.Error(), c.says) {
			t.Errorf("%s: %q does not say %q", name, got, c.says)
		}
	}
}

func TestEnded(t *testing.T) {
	var failure *check.Failure
	var unknown *check.Inconclusive
	kill := event("1", failedKill, `failed to "KillPodSandbox" with KillPodSandboxError: failed to destroy network`, 2)
	if err := Ended(State{Gone: at(1), Troubles: []Trouble{kill}}); err != nil {
		t.Errorf("a pod that is gone: %v", err)
	}
	if err := Ended(State{Troubles: []Trouble{kill}}); !errors.As(err, &failure) || !strings.Contains(failure.Observed, "failed to destroy network") {
		t.Errorf("a pod whose sandbox stays: %v", err)
	}
	if err := Ended(State{}); !errors.As(err, &unknown) {
		t.Errorf("a pod that stays for reasons unknown: %v", err)
	}
}
