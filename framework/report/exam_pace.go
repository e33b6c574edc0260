// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"time"

	"github.com/cniproof/cniproof/framework/scenario"
)

// reserve is which part of the time of -for is kept for what needs its second try, or
// takes longer than what came before.
const reserve = 6

// clusterTakes is about how long it takes to look once more at all of a cluster, to make
// the next and to look at that.
const clusterTakes = 4 * time.Minute

// hurried tells that at the pace so far scenarios would have to be left out. What
// each says of its own checks comes before what it says of all others.
func (e *Exam) hurried() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if *e.limit == 0 || len(e.outcomes) == 0 {
		return false
	}
	each := e.each() / time.Duration(max(1, *e.clusters))
	left := each
	unmade := map[string]bool{}
	for _, s := range e.queue.Left() {
		left += each
		if e.lanes[s.Topology] == 0 && !unmade[s.Topology] {
			unmade[s.Topology] = true
			left += clusterTakes
		}
	}
	return time.Since(e.started)+left > *e.limit-*e.limit/reserve
}

// late tells that whoever has a cluster of the topology, "" for none yet, is to begin no
// scenario any more: at the pace so far it would not be done in time.
func (e *Exam) late(topology string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	takes, left := e.each(), e.queue.Left()
	if len(left) == 0 {
		return false
	}
	here := func(s scenario.Scenario) bool { return s.Topology == topology }
	if topology != "" && !slices.ContainsFunc(left, here) {
		takes += clusterTakes
	}
	late := *e.limit > 0 && time.Since(e.started)+takes > *e.limit
	e.over = e.over || late
	return late
}

// isOver tells that something was not begun for the time.
func (e *Exam) isOver() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.over
}

// each is how long a scenario took so far; e.mu is held.
func (e *Exam) each() time.Duration {
	var took time.Duration
	for _, o := range e.outcomes {
		took += o.Took
	}
	return took / time.Duration(max(1, len(e.outcomes)))
}

// named are the checks that the scenario and those left for its topology name.
func (e *Exam) named(s scenario.Scenario) []string {
	ids := slices.Clone(s.Breaks)
	for _, other := range e.queue.Left() {
		if other.Topology == s.Topology {
			ids = append(ids, other.Breaks...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
