// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cniproof/cniproof/fixtures/workloads"
)

// TestFewAreAskedAtATime wants each monitor asked once in fetchEvery, spread over its
// beats, but those of a cordoned node in every beat.
func TestFewAreAskedAtATime(t *testing.T) {
	const nodes, cordoned = 7, "node-3"
	f := &field{monitors: map[string]map[string]corev1.Pod{}, cordoned: map[string]bool{cordoned: true}}
	for _, app := range []string{workloads.AppMonitor, workloads.AppMonitorHost} {
		f.monitors[app] = map[string]corev1.Pod{}
		for i := range nodes {
			node := fmt.Sprintf("node-%d", i)
			f.monitors[app][node] = corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID(app + node)}}
		}
	}
	m := &Monitors{asked: map[types.UID]time.Time{}}
	beats := int(fetchEvery / followEvery)
	times := map[types.UID]int{}
	for beat := range beats {
		due := m.due(f)
		if most := 2*nodes/beats + 1 + 2; len(due) > most {
			t.Errorf("%d monitors asked in one beat, wanted at most %d", len(due), most)
		}
		for app, pods := range f.only(due).monitors {
			for node, p := range pods {
				if p.UID != types.UID(app+node) || !due[p.UID] {
					t.Errorf("%s of %s is not due", app, node)
				}
				times[p.UID]++
				m.asked[p.UID] = time.Unix(int64(beat), 0)
			}
		}
	}
	for _, pods := range f.monitors {
		for node, p := range pods {
			if n := times[p.UID]; n == 0 || node == cordoned && n != beats {
				t.Errorf("%s asked %d times in %d beats", p.UID, n, beats)
			}
		}
	}
}
