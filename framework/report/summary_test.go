// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/diagnosis"
)

// rowsOf is how many rows of a terminal a text takes.
func rowsOf(text string) int {
	rows := 0
	for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		rows += 1 + max(0, len([]rune(l))-1)/screenColumns
	}
	return rows
}

// manyFailures is a run of 80 checks of which every other one failed, each with
// a cause of its own and commands too long for a row.
func manyFailures() Run {
	run := healthy()
	run.Checks, run.Results = nil, nil
	for i := range 80 {
		area := check.Areas[i/8]
		id := fmt.Sprintf("%s.a-claim-with-a-name-%d", area, i)
		res := check.Result{ID: id, Title: id, Area: area, Level: check.Required, Outcome: check.Passed}
		if i%2 == 0 {
			res.Outcome = check.Failed
			res.Failures = []check.Failure{{Node: three[i%3], Wanted: "an answer", Observed: strings.Repeat("none ", 60)}}
			res.Reason = res.Failures[0].Error()
			res.Nodes = []check.NodeResult{{Node: three[i%3], Outcome: check.Failed}}
		}
		if i%8 == 1 {
			res.Outcome, res.Reason = check.Unknown, fmt.Sprintf("the probe of %d did not answer", i)
		}
		run.Checks = append(run.Checks, Check{ID: id, Title: id, Area: area, Level: check.Required})
		run.Results = append(run.Results, res)
	}
	return run
}

func TestSummaryFitsAScreen(t *testing.T) {
	run := manyFailures()
	long := strings.Repeat("kubectl -n kube-system rollout restart ", 4)
	caused := manyFailures()
	for i := range 30 {
		caused.Bundles = append(caused.Bundles, Bundle{Check: caused.Results[2*i].ID, Findings: []diagnosis.Finding{{
			Code: diagnosis.Code(fmt.Sprintf("CAUSE_%d", i)), Title: strings.Repeat("a long title ", 20), Confidence: 0.9, Nodes: three,
			Evidence: []diagnosis.Quote{{File: "nodes/blue/kubelet.log", Line: 1, Text: strings.Repeat("a long line ", 50)}}, Fix: []string{long, long, long, long},
		}}})
	}
	for name, run := range map[string]Run{"without causes": run, "a cause each": caused, "many nodes": large(300), "broken": brokenRun()} {
		text := Summary(run)
		if rows := rowsOf(text); rows > screenRows+2 {
			t.Errorf("%s: %d rows, more than a screen:\n%s", name, rows, text)
		}
	}
	text := Summary(run)
	for _, want := range []string{"FAILURE: 40 failed, 10 inconclusive, 30 passed", "4 checks on all 3 nodes: node.a-claim", "more in report.html"} {
		if !strings.Contains(text, want) {
			t.Errorf("the summary lacks %q:\n%s", want, text)
		}
	}
	if text = Summary(caused); !strings.Contains(text, "fix: "+long) {
		t.Errorf("a command is not whole:\n%s", text)
	}
	if text = Summary(brokenRun()); strings.Contains(text, "more in report.html") {
		t.Errorf("something is left out though there is room:\n%s", text)
	}
}
