// SPDX-License-Identifier: Apache-2.0

// Package scenario is what a fault is and the engine that proves the harness
// catches it: checks pass, inject, what must break breaks, the cause is named,
// heal, checks pass again. It runs on clusters the harness owns, on no other.
package scenario

import (
	"context"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/diagnosis"
)

// Scenario is one fault. A scenario is one value in one file of scenarios/,
// registered with Register.
type Scenario struct {
	// Name says what happened, e.g. "cni_config_removed".
	Name string
	// Title is one sentence for people.
	Title string
	// Expects is the cause that must be the top finding.
	Expects diagnosis.Code
	// Topology is the kind-configs topology it needs, e.g. "two-node".
	Topology string
	// Breaks are the IDs of the checks that must go red.
	Breaks []string
	// MayBreak are checks, or whole areas, that may go red with it without being
	// wrong.
	MayBreak []string
	// Alone tells that it shows on the whole machine, e.g. in the kernel's log: no
	// other cluster is looked at while it lasts.
	Alone bool
	// Inject makes the fault. It may leave half of it behind on error: Heal
	// always follows.
	Inject func(ctx context.Context, t Target) error
	// Heal undoes it. It is idempotent, needs nothing the fault broke, and
	// works in another process than Inject's.
	Heal func(ctx context.Context, t Target) error
	// Look lists commands that show the fault while it is in place.
	Look func(t Target) []string
}

// breaks tells whether the check may be red while the fault is there.
func (s Scenario) breaks(r check.Result) bool {
	return slices.Contains(s.Breaks, r.ID) || slices.Contains(s.MayBreak, r.ID) || slices.Contains(s.MayBreak, r.Area)
}

// Target is the cluster and the node to break.
type Target struct {
	Cluster *cluster.Cluster
	// Node is the victim for faults of one node: a worker without the control
	// plane.
	Node string
}
