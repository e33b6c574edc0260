// SPDX-License-Identifier: Apache-2.0

package check

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Registry is a set of checks. The zero value is empty and ready; it is safe
// for concurrent use.
type Registry struct {
	mu     sync.Mutex
	checks map[string]Check
}

// Default is the registry that Register fills; runs use it, tests of the
// engine make their own.
var Default = new(Registry)

// Register adds c to Default and returns it, so that a check is one
// package-level value: `var _ = check.Register(check.Check{...})`. It panics as
// Registry.Register does.
func Register(c Check) Check { return Default.Register(c) }

// claim is the form of the part of an ID after the area.
var claim = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Register adds c and returns it. It panics on a duplicate ID and on a check
// that could never run: these are mistakes of whoever wrote it, and they show
// when the program starts. What needs the other checks is left to Validate.
func (r *Registry) Register(c Check) Check {
	if err := c.validate(); err != nil {
		panic(fmt.Sprintf("check %q: %v", c.ID, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.checks[c.ID]; ok {
		panic(fmt.Sprintf("check %q: registered twice", c.ID))
	}
	if r.checks == nil {
		r.checks = map[string]Check{}
	}
	r.checks[c.ID] = c
	return c
}

// Area is the part of the ID before the dot.
func (c Check) Area() string {
	area, _, _ := strings.Cut(c.ID, ".")
	return area
}

func (c Check) validate() error {
	area, name, _ := strings.Cut(c.ID, ".")
	switch {
	case !slices.Contains(Areas, area):
		return fmt.Errorf("want an ID like area.claim with an area of %s", strings.Join(Areas, ", "))
	case !claim.MatchString(name):
		return errors.New("want an ID like area.claim with a claim of lower-case words joined by hyphens")
	case c.Title == "":
		return errors.New("has no Title")
	case c.Level != Required && c.Level != Advisory:
		return fmt.Errorf("has level %q, want %q or %q", c.Level, Required, Advisory)
	case c.Run == nil:
		return errors.New("has no Run")
	case c.Successes < 0 || c.Attempt < 0 || c.Converge < 0:
		return errors.New("has a negative Successes, Attempt or Converge")
	}
	return nil
}

// Lookup returns the check of that ID.
func (r *Registry) Lookup(id string) (Check, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.checks[id]
	return c, ok
}

// Checks returns all checks in the order in which to run and report them: by
// area, then by ID, but never before what they require. The order does not
// depend on the order of registration. In a registry that Validate refuses,
// unknown IDs are left out and cycles cut.
func (r *Registry) Checks() []Check {
	ordered, _ := r.order()
	return ordered
}

// Validate tells whether every ID in Requires is registered and none leads
// back to its own check.
func (r *Registry) Validate() error {
	_, err := r.order()
	return err
}

func (r *Registry) order() ([]Check, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := walk{checks: r.checks, done: map[string]bool{}}
	ids := make([]string, 0, len(r.checks))
	for id := range r.checks {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareIDs)
	for _, id := range ids {
		w.visit(id)
	}
	return w.ordered, errors.Join(w.errs...)
}

// compareIDs orders IDs by area, then by name.
func compareIDs(a, b string) int {
	areaA, _, _ := strings.Cut(a, ".")
	areaB, _, _ := strings.Cut(b, ".")
	return cmp.Or(
		cmp.Compare(slices.Index(Areas, areaA), slices.Index(Areas, areaB)),
		strings.Compare(a, b),
	)
}

// walk is a depth-first walk along Requires.
type walk struct {
	checks  map[string]Check
	ordered []Check
	done    map[string]bool
	path    []string // from the check that began the walk to the current one
	errs    []error
}

func (w *walk) visit(id string) {
	if i := slices.Index(w.path, id); i >= 0 {
		w.errs = append(w.errs, fmt.Errorf("checks require each other: %s", strings.Join(append(w.path[i:len(w.path):len(w.path)], id), " -> ")))
		return
	}
	if w.done[id] {
		return
	}
	c, ok := w.checks[id]
	if !ok {
		w.errs = append(w.errs, fmt.Errorf("check %s requires %q, which is not registered", w.path[len(w.path)-1], id))
		return
	}
	w.path = append(w.path, id)
	requires := slices.Clone(c.Requires)
	slices.SortFunc(requires, compareIDs)
	for _, prerequisite := range requires {
		w.visit(prerequisite)
	}
	w.path = w.path[:len(w.path)-1]
	w.done[id] = true
	w.ordered = append(w.ordered, c)
}
