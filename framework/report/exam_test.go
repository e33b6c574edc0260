// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/scenario"
)

// An exam hurries when what is left would not fit at the pace so far.
func TestHurried(t *testing.T) {
	three := []scenario.Scenario{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	minute := scenario.Outcome{Took: time.Minute}
	for _, c := range []struct {
		name     string
		limit    time.Duration
		clusters int
		began    time.Duration // ago
		outcomes []scenario.Outcome
		want     bool
	}{
		{"no limit", 0, 1, time.Hour, []scenario.Outcome{minute}, false},
		{"no pace yet", time.Minute, 1, 0, nil, false},
		{"enough time", 6 * time.Minute, 1, time.Minute, []scenario.Outcome{minute}, false},
		{"too little", 4 * time.Minute, 1, time.Minute, []scenario.Outcome{minute}, true},
		{"enough on two clusters", 4 * time.Minute, 2, time.Minute, []scenario.Outcome{minute, minute}, false},
	} {
		e := &Exam{limit: &c.limit, clusters: &c.clusters, started: time.Now().Add(-c.began), outcomes: c.outcomes, queue: scenario.NewQueue(three)}
		if got := e.hurried(); got != c.want {
			t.Errorf("%s: hurried %t, want %t", c.name, got, c.want)
		}
	}
}
