// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/diagnosis"
)

// Skipped is the outcome of a selected check that did not run.
const Skipped check.Outcome = "skipped"

// schemaVersion is that of verdict.json and of report.json.
const schemaVersion = 1

// Judge returns the verdict on run.
func Judge(run Run) Verdict {
	v := Verdict{
		SchemaVersion:   schemaVersion,
		Verdict:         judge(run),
		RunID:           run.ID,
		Started:         run.Started,
		DurationSeconds: run.Duration.Seconds(),
		Complete:        run.Complete,
		Problem:         run.Problem,
		Cluster:         run.Cluster.Name,
		Selection:       run.Selection,
		Counts:          map[string]int{},
		Rows:            []Row{},
		Findings:        run.findings(),
	}
	if run.Gate != nil {
		v.Gate = run.Gate.Cases()
	}
	for _, res := range run.all() {
		v.Counts[string(res.Outcome)]++
		row := Row{
			Check: res.ID, Area: res.Area, Level: string(res.Level),
			Outcome: string(res.Outcome), Reason: res.Reason, BlockedBy: res.BlockedBy, Evidence: run.bundle(res.ID).Dir,
		}
		v.Rows = append(v.Rows, row)
		if !res.PerNode() {
			continue
		}
		for _, n := range res.Nodes {
			row.Node, row.Outcome, row.Reason, row.BlockedBy = n.Node, string(n.Outcome), n.Reason, n.BlockedBy
			v.Rows = append(v.Rows, row)
		}
	}
	return v
}

// judge weighs what counts. A run that ended before its end is never a success,
// and one that never measured anything is a failure.
func judge(run Run) string {
	if len(run.Results) == 0 {
		return Failure
	}
	verdict := Success
	if run.Gate != nil {
		failed, unclear := run.Gate.Failed()
		if len(failed) > 0 {
			return Failure
		}
		if len(unclear) > 0 {
			verdict = Partial
		}
	}
	if !run.Complete || run.Problem != "" {
		verdict = Partial
	}
	for _, res := range run.all() {
		if !run.counts(res) {
			continue
		}
		switch res.Outcome {
		case check.Failed:
			return Failure
		case check.Passed, check.NotApplied:
		default:
			verdict = Partial
		}
	}
	return verdict
}

// counts tells whether the result has a say in the verdict.
func (run Run) counts(res check.Result) bool {
	if run.Gate != nil && !run.Gate.Blames(res.ID) {
		return false
	}
	return run.Strict || res.Level != check.Advisory
}

// all are the results, by area: those of selected checks, a skipped one for
// each that has none, and those of prerequisites that ran for their sake.
func (run Run) all() []check.Result {
	byID := map[string]check.Result{}
	for _, res := range run.Results {
		byID[res.ID] = res
	}
	var all []check.Result
	for _, c := range run.Checks {
		res, ok := byID[c.ID]
		if !ok {
			res = check.Result{ID: c.ID, Title: c.Title, Area: c.Area, Level: c.Level, Outcome: Skipped, Reason: "it did not run"}
		}
		all = append(all, res)
		delete(byID, c.ID)
	}
	for _, res := range run.Results {
		if _, unselected := byID[res.ID]; unselected {
			all = append(all, res)
		}
	}
	slices.SortStableFunc(all, func(a, b check.Result) int {
		return cmp.Compare(slices.Index(check.Areas, a.Area), slices.Index(check.Areas, b.Area))
	})
	return all
}

// bundle is the evidence of the check; without a Dir when there is none.
func (run Run) bundle(id string) Bundle {
	for _, b := range run.Bundles {
		if b.Check == id {
			return b
		}
	}
	return Bundle{}
}

// key tells findings apart: one cause in one place is one finding, however many
// checks it breaks.
func key(f diagnosis.Finding) string {
	return string(f.Code) + " " + strings.Join(slices.Sorted(slices.Values(f.Nodes)), ",")
}

// findings are those of all bundles, best first, each once and with its most
// confident evidence; quoted files are relative to the reports.
func (run Run) findings() []diagnosis.Finding {
	best := map[string]diagnosis.Finding{}
	breaks := map[string]int{}
	var order []string
	for _, b := range run.Bundles {
		for _, f := range b.Findings {
			k := key(f)
			breaks[k]++
			known, ok := best[k]
			if !ok {
				order = append(order, k)
			}
			if !ok || f.Confidence > known.Confidence {
				best[k] = b.located(f)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Or(
			cmp.Compare(best[b].Confidence, best[a].Confidence),
			cmp.Compare(breaks[b], breaks[a]),
			strings.Compare(a, b),
		)
	})
	var list []diagnosis.Finding
	for _, k := range order {
		list = append(list, best[k])
	}
	return list
}

// located is f with quoted files relative to the reports.
func (b Bundle) located(f diagnosis.Finding) diagnosis.Finding {
	f.Evidence = slices.Clone(f.Evidence)
	for i := range f.Evidence {
		f.Evidence[i].File = path.Join(b.Dir, f.Evidence[i].File)
	}
	return f
}
