// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/gate"
)

// exempt is why a failure of a check does not count.
func exempt(run Run) string {
	switch {
	case run.Gate == nil:
		return "advisory"
	case run.Gate.ReportOnly:
		return "report only"
	}
	return "red before the upgrade too, or advisory"
}

// gateSuite is the gate as cases of junit.xml.
func gateSuite(run Run) testsuite {
	s := newSuite(run, "gate")
	for _, c := range run.Gate.Cases() {
		text := strings.Join(c.Details, "\n")
		t := testcase{Name: c.Name, Classname: "gate", Time: seconds(0)}
		switch {
		case c.Failed != "" && run.Gate.ReportOnly:
			t.Skipped = &detail{Message: "report only: " + c.Failed, Type: "report-only", Text: text}
		case c.Failed != "":
			t.Failure = &detail{Message: c.Failed, Type: "gate", Text: text}
		case c.Unclear != "":
			t.Error = &detail{Message: c.Unclear, Type: "inconclusive", Text: text}
		default:
			t.Output = text
		}
		if r := run.Gate; r.Command != nil && c.Name == "the upgrade command succeeds" {
			s.took = r.Command.End.Sub(r.Command.Begin)
			t.Time = seconds(s.took)
		}
		s.add(t)
	}
	return s
}

// Of the gate, as many lines as a glance takes.
const (
	mostReasons = 5
	mostMoved   = 8
)

// gateLines are what a terminal shows of the gate.
func gateLines(run Run) []string {
	out := []string{""}
	r := run.Gate
	var over []string
	for _, c := range r.Cases() {
		kind, budgeted := strings.CutPrefix(c.Name, gate.WithinBudget)
		switch {
		case c.Failed != "" && budgeted && kind != gate.Total:
			over = append(over, kind)
		case c.Failed != "":
			out = append(out, cutTo(fmt.Sprintf("  NO       %s: %s", c.Name, c.Failed), 2*screenColumns))
		case c.Unclear != "":
			out = append(out, cutTo(fmt.Sprintf("  UNCLEAR  %s: %s", c.Name, c.Unclear), 2*screenColumns))
		}
	}
	if len(over) > 0 {
		out = append(out, cutTo("  NO       "+gate.WithinBudget+some(over, 6), 2*screenColumns))
	}
	if r.Phase != "" {
		out = append(out, "  traffic is watched; -gate-phase=after has the answers")
	}
	if len(out) == 1 {
		out = append(out, "  the upgrade command succeeded, and no check fails that did not before")
	}
	for _, s := range r.Spent[:min(len(r.Spent), 2)] {
		out = append(out, fmt.Sprintf("  %-9s%s, on %d paths", s.Kind, s.Says(), s.Paths))
	}
	for i, reason := range r.Reasons {
		if i == mostReasons {
			out = append(out, fmt.Sprintf("  and %d more in report.html", len(r.Reasons)-i))
			break
		}
		out = append(out, cutTo("  "+reason.Text, 2*screenColumns))
	}
	if n := len(r.RedBefore); n > 0 {
		out = append(out, fmt.Sprintf("  %d %s before, which is not blamed on the upgrade", n, map[bool]string{true: "check failed", false: "checks failed"}[n == 1]))
	}
	return out
}

// gateMarkdown writes what summary.md says of the gate.
func gateMarkdown(b *strings.Builder, run Run) {
	r := run.Gate
	b.WriteString("\n### Gate\n\n| question | answer |\n|---|---|\n")
	for _, c := range r.Cases() {
		answer := "yes"
		switch {
		case c.Failed != "":
			answer = "**no**: " + cell(c.Failed)
		case c.Unclear != "":
			answer = "**unclear**: " + cell(c.Unclear)
		case strings.HasPrefix(c.Name, "disruption") && len(c.Details) > 0:
			answer = "yes, " + cell(c.Details[0])
		}
		fmt.Fprintf(b, "| %s | %s |\n", cell(c.Name), answer)
	}
	for i, reason := range r.Reasons[:min(len(r.Reasons), mostReasons)] {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "- %s\n", cell(reason.Text))
	}
	for i, f := range r.Figures[:min(len(r.Figures), mostMoved)] {
		if i == 0 {
			b.WriteString("\n| figure that moved (worst node) | before | after |\n|---|---|---|\n")
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", cell(f.Name+" ("+f.Check+")"), amount(f.Before, f.Unit), amount(f.After, f.Unit))
	}
	for i, why := range r.RedBefore {
		if i == 0 {
			b.WriteString("\nRed before, and not blamed on the upgrade:\n\n")
		}
		fmt.Fprintf(b, "- %s\n", cell(why))
	}
	b.WriteString("\n")
}
