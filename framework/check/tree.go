// SPDX-License-Identifier: Apache-2.0

package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// observation is what the error tree of one attempt says, sorted out.
type observation struct {
	failures     []Failure
	inconclusive []Inconclusive
	// lacks are what the cluster lacks, and lacking what single nodes do.
	lacks   []string
	lacking map[string]string
	// defect tells that the check itself went wrong, so that another attempt
	// would only repeat it.
	defect bool
}

// observe reads the tree that Run returned. late is what an error without a
// type means: empty for a failure without a place, or the sentence of an
// attempt that ran out of time.
func observe(err error, late string) observation {
	var o observation
	o.add(err, late)
	// Checks join errors of goroutines, in any order; reports must not differ
	// from run to run.
	slices.SortStableFunc(o.failures, func(a, b Failure) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), strings.Compare(a.Peer, b.Peer))
	})
	slices.SortStableFunc(o.inconclusive, func(a, b Inconclusive) int {
		return strings.Compare(a.Node, b.Node)
	})
	return o
}

func (o *observation) add(err error, late string) {
	switch err := err.(type) {
	case nil:
	case *Failure:
		o.failures = append(o.failures, *err)
	case *Inconclusive:
		o.inconclusive = append(o.inconclusive, *err)
	case *NotApplicable:
		if err.Node == "" {
			o.lacks = append(o.lacks, err.Lacks)
			return
		}
		if o.lacking == nil {
			o.lacking = map[string]string{}
		}
		o.lacking[err.Node] = err.Lacks
	case *defect:
		o.defect = true
		o.inconclusive = append(o.inconclusive, Inconclusive{Why: err.Error()})
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			o.add(e, late)
		}
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); typed(inner) {
			o.add(inner, late)
		} else {
			o.addUntyped(err.(error), late)
		}
	default:
		o.addUntyped(err, late)
	}
}

func (o *observation) addUntyped(err error, late string) {
	if late != "" {
		o.inconclusive = append(o.inconclusive, Inconclusive{Why: late, Err: err})
		return
	}
	o.failures = append(o.failures, Failure{Wanted: "the check's steps to succeed", Observed: err.Error()})
}

// typed tells whether an outcome is somewhere in the tree.
func typed(err error) bool {
	switch err := err.(type) {
	case *Failure, *Inconclusive, *NotApplicable, *defect:
		return true
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(err.Unwrap(), typed)
	case interface{ Unwrap() error }:
		return typed(err.Unwrap())
	}
	return false
}

// outcome is the worst that was seen; a blocked node is as bad as one that
// could not be measured.
func (o observation) outcome(blocked bool) Outcome {
	switch {
	case len(o.failures) > 0:
		return Failed
	case len(o.inconclusive) > 0 || blocked:
		return Unknown
	case len(o.lacks) > 0:
		return NotApplied
	}
	return Passed
}

// reason is one line for the outcome; what is the line for blocked nodes.
func (o observation) reason(blocked string) string {
	switch {
	case len(o.failures) > 0:
		return oneLine(o.failures[0].Error(), len(o.failures)-1)
	case len(o.inconclusive) > 0:
		return oneLine(o.inconclusive[0].Error(), len(o.inconclusive)-1)
	case blocked != "":
		return blocked
	case len(o.lacks) > 0:
		return oneLine(o.lacks[0], len(o.lacks)-1)
	}
	return ""
}

// nodes says of each node of scope what became of the check there.
func (o observation) nodes(scope []string) []NodeResult {
	bad := culprits(o.failures)
	for _, node := range sorted(bad) {
		if !slices.Contains(scope, node) {
			scope = append(slices.Clip(scope), node)
		}
	}
	results := make([]NodeResult, 0, len(scope))
	for _, node := range scope {
		results = append(results, o.node(node, bad))
	}
	return results
}

func (o observation) node(node string, bad map[string]bool) NodeResult {
	everywhere := func(f Failure) bool { return f.Node == "" }
	switch i := slices.IndexFunc(o.failures, everywhere); {
	case bad[node]:
		return NodeResult{Node: node, Outcome: Failed, Reason: reasonAt(node, o.failures)}
	case i >= 0:
		return NodeResult{Node: node, Outcome: Failed, Reason: oneLine(o.failures[i].Error(), 0)}
	}
	if lacks, ok := o.lacking[node]; ok {
		return NodeResult{Node: node, Outcome: NotApplied, Reason: oneLine(lacks, 0)}
	}
	here := func(i Inconclusive) bool { return i.Node == node || i.Node == "" }
	if i := slices.IndexFunc(o.inconclusive, here); i >= 0 {
		placeless := o.inconclusive[i]
		placeless.Node = ""
		return NodeResult{Node: node, Outcome: Unknown, Reason: oneLine(placeless.Error(), 0)}
	}
	if len(o.lacks) > 0 && len(o.failures)+len(o.inconclusive) == 0 {
		return NodeResult{Node: node, Outcome: NotApplied, Reason: oneLine(o.lacks[0], 0)}
	}
	return NodeResult{Node: node, Outcome: Passed, Reason: exceptWith(node, o.failures)}
}

// longestReason keeps a reason readable in a table; the failures have the rest.
const longestReason = 400

// oneLine makes s fit one line and says how many like it there are.
func oneLine(s string, more int) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > longestReason {
		s = string(runes[:longestReason]) + "..."
	}
	if more > 0 {
		s += fmt.Sprintf(" (and %d more)", more)
	}
	return s
}
