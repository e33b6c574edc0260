// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

var registry struct {
	sync.Mutex
	byName map[string]Collector
}

// Register makes a collector known and returns it. It panics when the name is
// taken or the collector could not work: both are mistakes of the program.
func Register(c Collector) Collector {
	registry.Lock()
	defer registry.Unlock()
	switch {
	case c.Name == "" || c.Title == "" || len(c.Steps) == 0:
		panic(fmt.Sprintf("evidence: register collector %q: wanted a name, a title and steps", c.Name))
	case c.PerNode == nil && c.Once == nil:
		panic(fmt.Sprintf("evidence: register collector %q: it gathers nothing", c.Name))
	}
	if _, taken := registry.byName[c.Name]; taken {
		panic(fmt.Sprintf("evidence: register collector %q: the name is taken", c.Name))
	}
	if registry.byName == nil {
		registry.byName = map[string]Collector{}
	}
	registry.byName[c.Name] = c
	return c
}

// Collectors are the registered ones, sorted by name.
func Collectors() []Collector {
	registry.Lock()
	defer registry.Unlock()
	all := make([]Collector, 0, len(registry.byName))
	for _, c := range registry.byName {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Collector) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// DocumentedStep is a step with the collector that takes it.
type DocumentedStep struct {
	Collector, Title string
	Step
}

// Steps are the steps of all collectors, sorted by collector and in the
// collector's own order. What is listed here is what Collect runs.
func Steps() []DocumentedStep {
	var steps []DocumentedStep
	for _, c := range Collectors() {
		for _, s := range c.Steps {
			steps = append(steps, DocumentedStep{Collector: c.Name, Title: c.Title, Step: s})
		}
	}
	return steps
}

// wanted are the collectors of a request: those every failure gets and those
// it names. Names that no collector has are returned apart.
func wanted(named []string) (collectors []Collector, unknown []string) {
	rest := slices.Clone(named)
	for _, c := range Collectors() {
		i := slices.Index(rest, c.Name)
		if i >= 0 {
			rest = slices.DeleteFunc(rest, func(name string) bool { return name == c.Name })
		}
		if c.Always || i >= 0 {
			collectors = append(collectors, c)
		}
	}
	slices.Sort(rest)
	return collectors, slices.Compact(rest)
}
