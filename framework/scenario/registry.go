// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
)

var (
	registered []Scenario
	event      = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
)

// Register adds a scenario and returns it, so that a scenario is one
// package-level value. It panics on one that could never run: that is a mistake
// of whoever wrote it and shows when the program starts. Not for use after
// start-up.
func Register(s Scenario) Scenario {
	switch _, known := Lookup(s.Name); {
	case !event.MatchString(s.Name):
		panic(fmt.Sprintf("scenario %q: want a name of lower-case words joined by underscores", s.Name))
	case known:
		panic(fmt.Sprintf("scenario %q: registered twice", s.Name))
	case s.Title == "" || s.Expects == "" || s.Topology == "" || len(s.Breaks) == 0:
		panic(fmt.Sprintf("scenario %q: wants Title, Expects, Topology and Breaks", s.Name))
	case s.Inject == nil || s.Heal == nil:
		panic(fmt.Sprintf("scenario %q: wants Inject and Heal", s.Name))
	}
	registered = append(registered, s)
	return s
}

// All are the registered scenarios, by topology and then by name, so that those
// that share a cluster follow one another.
func All() []Scenario {
	return slices.SortedFunc(slices.Values(registered), func(a, b Scenario) int {
		return cmp.Or(cmp.Compare(a.Topology, b.Topology), cmp.Compare(a.Name, b.Name))
	})
}

// Lookup is the scenario of that name.
func Lookup(name string) (Scenario, bool) {
	i := slices.IndexFunc(registered, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return registered[i], true
}
