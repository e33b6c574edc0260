// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// faults are the objects with one kind of mistake, by what it is in the words of
// the object that has to be changed; the same mistake of several pods is one.
type faults struct {
	wanted string
	order  []string
	list   map[string]*fault
}

type fault struct {
	// observed says what is wrong, fix what to change.
	observed, fix string
	pods          []string
	node          string
}

// most is how many mistakes are told one by one, and how many pods of one.
const most = 10

// add takes in a mistake of object; pod is namespace/name of the pod that shows
// it, if one does.
func (f *faults) add(object, pod string, what fault) {
	if f.list == nil {
		f.list = map[string]*fault{}
	}
	key := object + ": " + what.observed
	known, ok := f.list[key]
	if !ok {
		known = &what
		f.list[key] = known
		f.order = append(f.order, key)
	}
	if pod != "" {
		known.pods = append(known.pods, pod)
	}
	if known.node != what.node {
		known.node = "" // on several
	}
}

// outcome is one failure for each mistake, in the order of the objects' names.
func (f *faults) outcome() error {
	slices.Sort(f.order)
	var errs []error
	for i, key := range f.order {
		if i == most {
			errs = append(errs, &check.Failure{Wanted: f.wanted, Observed: "and " + some(f.order[most:])})
			break
		}
		one := f.list[key]
		observed := key
		if n := len(one.pods); n > 1 {
			observed += fmt.Sprintf(" (%d pods)", n)
		}
		errs = append(errs, &check.Failure{
			Node: one.node, Pods: one.pods[:min(len(one.pods), most)], Wanted: f.wanted, Observed: observed + "; to fix it, " + one.fix,
		})
	}
	return errors.Join(errs...)
}

// some names the first few of the words.
func some(words []string) string {
	const few = 3
	if more := len(words) - few; more > 0 {
		return strings.Join(words[:few], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(words, ", ")
}
