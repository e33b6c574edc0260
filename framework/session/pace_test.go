// SPDX-License-Identifier: Apache-2.0

package session

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The faster half decides; a node that is broken does not make all others wait.
func TestPace(t *testing.T) {
	const never = -1
	for _, c := range []struct {
		name    string
		seconds []int
		want    float64
	}{
		{"no pod", nil, 0},
		{"none ready", []int{never, never, never}, 0},
		{"most not ready", []int{1, never, never}, 0},
		{"usual", []int{1, 2, 1}, 1},
		{"slow", []int{5, 4, 6}, 2.5},
		{"one node is slow", []int{1, 30, 2}, 1},
		{"one of two is slow", []int{1, 30}, 1},
		{"one is not ready", []int{6, 6, never}, 3},
		{"bounded", []int{60, 60, 60}, mostPace},
	} {
		var pods []corev1.Pod
		for _, s := range c.seconds {
			start := time.Unix(1e9, 0)
			p := corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
				{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(start)},
			}}}
			if s != never {
				p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
					Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(start.Add(time.Duration(s) * time.Second)),
				})
			}
			pods = append(pods, p)
		}
		if got := paceOf(pods, corev1.PodReady); got != c.want {
			t.Errorf("%s: pace %g, want %g", c.name, got, c.want)
		}
		// Where kubelets do not tell of the sandbox, nothing is concluded.
		if got := paceOf(pods, corev1.PodReadyToStartContainers); got > 1 {
			t.Errorf("%s: pace %g of a condition that is not there, want 1 at most", c.name, got)
		}
	}
}
