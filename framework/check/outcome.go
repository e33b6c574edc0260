// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"time"
)

// Outcome is what became of a check, or of a check on one node.
type Outcome string

// Outcomes, from best to worst.
const (
	Passed     Outcome = "passed"
	NotApplied Outcome = "not-applicable"
	Unknown    Outcome = "inconclusive"
	Failed     Outcome = "failed"
)

// Failure is one observation that contradicts the claim: the network is
// broken.
type Failure struct {
	// Node is where it was seen and Peer the other node of a pair; empty when
	// it is about the cluster as a whole.
	Node string `json:"node,omitempty"`
	Peer string `json:"peer,omitempty"`
	// Pods are namespace/name of the pods involved.
	Pods     []string `json:"pods,omitempty"`
	Wanted   string   `json:"wanted"`
	Observed string   `json:"observed"`
}

func (f *Failure) Error() string {
	where := ""
	switch {
	case f.Node != "" && f.Peer != "":
		where = f.Node + " to " + f.Peer + ": "
	case f.Node != "":
		where = f.Node + ": "
	}
	return fmt.Sprintf("%swanted %s, observed %s", where, f.Wanted, f.Observed)
}

// Inconclusive says that the harness could not measure: no claim is made about
// the network.
type Inconclusive struct {
	// Node is where; empty means everywhere.
	Node string
	// Why is what kept the harness from measuring.
	Why string
	Err error
}

func (i *Inconclusive) Error() string {
	s := i.Why
	if i.Node != "" {
		s = i.Node + ": " + s
	}
	if i.Err != nil {
		s += ": " + i.Err.Error()
	}
	return s
}

func (i *Inconclusive) Unwrap() error { return i.Err }

// NotApplicable says which capability the cluster lacks for the claim to have
// a meaning.
type NotApplicable struct {
	// Node is the one that lacks it; empty means that the cluster does.
	Node  string
	Lacks string
}

func (n *NotApplicable) Error() string {
	if n.Node != "" {
		return n.Node + ": not applicable: " + n.Lacks
	}
	return "not applicable: " + n.Lacks
}

// Result is what became of one check, for reports. It is plain data.
type Result struct {
	ID      string  `json:"id"`
	Title   string  `json:"title"`
	Area    string  `json:"area"`
	Level   Level   `json:"level"`
	Outcome Outcome `json:"outcome"`
	// Reason is one line: why it failed, was inconclusive or does not apply.
	Reason string `json:"reason,omitempty"`
	// BlockedBy is the failed prerequisite that made it inconclusive, if one did.
	BlockedBy    string        `json:"blockedBy,omitempty"`
	Nodes        []NodeResult  `json:"nodes,omitempty"`
	Failures     []Failure     `json:"failures,omitempty"`
	Measurements []Measurement `json:"measurements,omitempty"`
	Attempts     int           `json:"attempts"`
	Started      time.Time     `json:"started"`
	Duration     time.Duration `json:"durationNanoseconds"`
}

// PerNode tells whether the result says something of single nodes, rather than
// the same of all.
func (r Result) PerNode() bool {
	for _, f := range r.Failures {
		if f.Node != "" {
			return true
		}
	}
	for _, n := range r.Nodes {
		if first := r.Nodes[0]; n.Outcome != first.Outcome || n.Reason != first.Reason {
			return true
		}
	}
	return false
}

// NodeResult is what became of a check on one node.
type NodeResult struct {
	Node      string  `json:"node"`
	Outcome   Outcome `json:"outcome"`
	Reason    string  `json:"reason,omitempty"`
	BlockedBy string  `json:"blockedBy,omitempty"`
}
