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
	another := append(three[:2:2], scenario.Scenario{Name: "d", Topology: "another"})
	minute := scenario.Outcome{Took: time.Minute}
	for _, c := range []struct {
		name     string
		limit    time.Duration
		clusters int
		began    time.Duration // ago
		outcomes []scenario.Outcome
		left     []scenario.Scenario
		want     bool
	}{
		{"no limit", 0, 1, time.Hour, []scenario.Outcome{minute}, three, false},
		{"no pace yet", time.Minute, 1, 0, nil, three, false},
		{"enough time", 6*time.Minute + 2*time.Second, 1, time.Minute, []scenario.Outcome{minute}, three, false},
		{"too little", 4 * time.Minute, 1, time.Minute, []scenario.Outcome{minute}, three, true},
		{"too little for a second try", 5*time.Minute + 30*time.Second, 1, time.Minute, []scenario.Outcome{minute}, three, true},
		{"enough on two clusters", 4 * time.Minute, 2, time.Minute, []scenario.Outcome{minute, minute}, three, false},
		{"another cluster to make", 6 * time.Minute, 1, time.Minute, []scenario.Outcome{minute}, another, true},
	} {
		e := &Exam{limit: &c.limit, clusters: &c.clusters, started: time.Now().Add(-c.began), outcomes: c.outcomes, queue: scenario.NewQueue(c.left), lanes: map[string]int{"": 1}}
		if got := e.hurried(); got != c.want {
			t.Errorf("%s: hurried %t, want %t", c.name, got, c.want)
		}
	}
}

// An exam begins nothing that it would not finish, a change of cluster included.
func TestLate(t *testing.T) {
	here, there := scenario.Scenario{Name: "a"}, scenario.Scenario{Name: "b", Topology: "another"}
	minute := []scenario.Outcome{{Took: time.Minute}}
	for _, c := range []struct {
		name     string
		limit    time.Duration
		outcomes []scenario.Outcome
		left     []scenario.Scenario
		topology string
		want     bool
	}{
		{"no limit", 0, minute, []scenario.Scenario{here}, "another", false},
		{"the first", time.Minute + time.Second, nil, []scenario.Scenario{there}, "", false},
		{"fits", 2*time.Minute + time.Second, minute, []scenario.Scenario{here}, "", false},
		{"would not fit", 2*time.Minute - time.Second, minute, []scenario.Scenario{here}, "", true},
		{"fits with another cluster", 6*time.Minute + time.Second, minute, []scenario.Scenario{here}, "another", false},
		{"another cluster would not fit", 6*time.Minute - time.Second, minute, []scenario.Scenario{here}, "another", true},
		{"nothing left", time.Second, minute, nil, "another", false},
	} {
		two := 2 // side by side, each scenario takes as long as on one
		e := &Exam{limit: &c.limit, clusters: &two, started: time.Now().Add(-time.Minute), outcomes: c.outcomes, queue: scenario.NewQueue(c.left)}
		if got := e.late(c.topology); got != c.want || e.isOver() != c.want {
			t.Errorf("%s: late %t, want %t", c.name, got, c.want)
		}
	}
}
