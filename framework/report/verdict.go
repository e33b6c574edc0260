// SPDX-License-Identifier: Apache-2.0

// Package report is the edge: all Ginkgo glue (bootstrap, failure hook) and
// what a run leaves behind for people and machines: verdict.json, report.json,
// junit.xml, summary.md, report.html. It makes no measurements.
package report

import (
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/gate"
)

// Verdict values.
const (
	Success = "success" // every selected required check passed or does not apply
	Partial = "partial" // none failed, but one was skipped or inconclusive
	Failure = "failure" // a required check failed, or the run could not start
)

// Verdict is verdict.json, what a gate reads.
type Verdict struct {
	// SchemaVersion is 1; it grows when a field changes its meaning.
	SchemaVersion int       `json:"schemaVersion"`
	Verdict       string    `json:"verdict"`
	RunID         string    `json:"runID"`
	Started       time.Time `json:"started"`
	// DurationSeconds of the whole run.
	DurationSeconds float64 `json:"durationSeconds"`
	// Complete is false while the run goes on, and stays so when it is killed.
	Complete bool `json:"complete"`
	// Problem is the sentence of a run that could not start.
	Problem string `json:"problem,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	// Selection is what the run was limited to, empty when to nothing.
	Selection string `json:"selection,omitempty"`
	// Gate is what a gate asked, and the answers.
	Gate []gate.Case `json:"gate,omitempty"`
	// Counts of checks by outcome.
	Counts map[string]int `json:"counts"`
	Rows   []Row          `json:"rows"`
	// Findings of all failures, best first.
	Findings []diagnosis.Finding `json:"findings,omitempty"`
}

// Row is one check, or one check on one node where that is how it is judged.
type Row struct {
	Check   string `json:"check"`
	Area    string `json:"area"`
	Level   string `json:"level"`
	Node    string `json:"node,omitempty"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	// BlockedBy is the failed prerequisite.
	BlockedBy string `json:"blockedBy,omitempty"`
	// Evidence is the bundle's path relative to verdict.json.
	Evidence string `json:"evidence,omitempty"`
}
