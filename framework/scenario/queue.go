// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"slices"
	"sync"
)

// Queue gives scenarios out to several clusters. It is safe for concurrent use.
type Queue struct {
	mu      sync.Mutex
	pending []Scenario
	// at counts the clusters by topology.
	at map[string]int
}

// worthACluster is how many scenarios have to wait for a topology before another
// cluster is made for them: making one takes about as long as two scenarios.
const worthACluster = 4

// NewQueue holds these scenarios, to be given out in this order.
func NewQueue(scenarios []Scenario) *Queue {
	return &Queue{pending: slices.Clone(scenarios), at: map[string]int{}}
}

// Next is the next scenario for whoever has a cluster of the topology, "" for who has
// none yet. Where none is left for that, it is one of a topology that needs a cluster,
// and the caller is taken to have left the other. None is left where ok is false.
func (q *Queue) Next(topology string) (s Scenario, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.pending, func(s Scenario) bool { return s.Topology == topology })
	if i < 0 {
		i = q.elsewhere()
		q.at[topology]--
		if i < 0 {
			return Scenario{}, false
		}
		q.at[q.pending[i].Topology]++
	}
	s = q.pending[i]
	q.pending = slices.Delete(q.pending, i, i+1)
	return s, true
}

// elsewhere is the place of a scenario that a further cluster should be made for.
func (q *Queue) elsewhere() int {
	waiting := map[string]int{}
	for _, s := range q.pending {
		waiting[s.Topology]++
	}
	for _, enough := range []func(topology string) bool{
		func(topology string) bool { return q.at[topology] == 0 },
		func(topology string) bool { return waiting[topology] >= worthACluster*q.at[topology] },
	} {
		if i := slices.IndexFunc(q.pending, func(s Scenario) bool { return enough(s.Topology) }); i >= 0 {
			return i
		}
	}
	return -1
}

// Left are the scenarios that nobody has yet.
func (q *Queue) Left() []Scenario {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.pending)
}
