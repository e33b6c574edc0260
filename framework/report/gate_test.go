// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/gate"
	"github.com/cniproof/cniproof/framework/monitor"
)

// gated is a run after an upgrade: one check red before and after, one red only
// after, and a gap.
func gated() Run {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path := monitor.Path{Node: "worker2", Way: monitor.Service, Flow: monitor.FlowTCP, Family: "ipv4"}
	gap := monitor.Gap{Path: path, Begin: begin.Add(10 * time.Second), End: begin.Add(13 * time.Second), Lost: 30, Letters: "t"}
	result := func(id string, o check.Outcome) check.Result {
		return check.Result{ID: id, Title: id, Area: "node", Level: check.Required, Outcome: o, Reason: "because"}
	}
	before := []check.Result{result("node.red", check.Failed), result("node.worse", check.Passed)}
	after := []check.Result{result("node.red", check.Failed), result("node.worse", check.Failed)}
	return Run{
		ID: "x", Started: begin, Complete: true, Results: after,
		Gate: &gate.Result{
			Begin: begin, End: begin.Add(time.Minute), Comparison: gate.Compare(before, after),
			Command:    &gate.Command{Text: "upgrade <now>", Begin: begin, End: begin.Add(time.Second), Lines: []gate.Line{{At: begin, Text: "<b>done</b>"}}},
			Paths:      []gate.PathResult{{Path: path, Samples: 600, Failed: 30, Gaps: []monitor.Gap{gap}, Longest: 3 * time.Second, Total: 3 * time.Second}},
			Spent:      []gate.Spent{{Kind: gate.Total, Allowed: 10 * time.Second, Used: 3 * time.Second}, {Kind: "service", Allowed: 2 * time.Second, Used: 3 * time.Second, Worst: path.String()}},
			Happenings: []monitor.Happening{{At: begin.Add(9 * time.Second), About: monitor.AboutProxy, Node: "worker2", What: "kube-proxy was stopped"}},
			Reasons:    []gate.Reason{{Text: "kube-proxy was stopped on worker2"}},
			RedBefore:  []string{"node.red: because"},
		},
	}
}

func TestGateInEveryReport(t *testing.T) {
	run := gated()
	if v := Judge(run); v.Verdict != Failure || len(v.Gate) == 0 {
		t.Errorf("verdict %s with %d answers, wanted failure", v.Verdict, len(v.Gate))
	}
	html, err := page(run)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Timeline", `class="gap"`, "kube-proxy was stopped on worker2", "&lt;b&gt;done&lt;/b&gt;", "Red before"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("report.html has no %q", want)
		}
	}
	if strings.Contains(string(html), "<b>done") {
		t.Error("output of the command is markup in report.html")
	}
	data, err := junit(run)
	if err != nil {
		t.Fatal(err)
	}
	var doc testsuites
	if err := xml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	failed := map[string]bool{}
	for _, s := range doc.Suites {
		for _, c := range s.Cases {
			failed[s.Name+" "+c.Name] = c.Failure != nil
		}
	}
	for name, want := range map[string]bool{
		"gate the upgrade command succeeds": false, "gate no check fails that did not before": true, "gate disruption within budget: total": false,
		"gate disruption within budget: service": true, "node node.red: node.red": false, "node node.worse: node.worse": true,
	} {
		if got, ok := failed[name]; got != want || !ok {
			t.Errorf("junit.xml: case %q failed %t (there %t), wanted %t", name, got, ok, want)
		}
	}
	if s := Summary(run); !strings.Contains(s, "NO ") || !strings.Contains(s, "service") {
		t.Errorf("summary: %s", s)
	}
	if s := markdown(run); !strings.Contains(s, "| disruption within budget: service | **no**") {
		t.Errorf("summary.md: %s", s)
	}
}

func TestGateReportOnly(t *testing.T) {
	run := gated()
	run.Gate.ReportOnly = true
	if v := Judge(run); v.Verdict != Success {
		t.Errorf("verdict %s with -report-only, wanted success", v.Verdict)
	}
}
