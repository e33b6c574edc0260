// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis"
)

// summary.md is for a glance; report.html has the rest.
const (
	mostLines    = 12
	mostFindings = 3
	mostQuotes   = 1
	longestCell  = 200
)

// markdown renders summary.md, for a job's summary page or a pull request.
func markdown(run Run) string {
	v := Judge(run)
	var b strings.Builder
	fmt.Fprintf(&b, "## Pod network: %s\n\n", v.Verdict)
	fmt.Fprintf(&b, "%s\n", cell(headline(run, v)))
	if facts := factsLine(run); facts != "" {
		fmt.Fprintf(&b, "\n%s\n", cell(facts))
	}
	if run.Gate != nil {
		gateMarkdown(&b, run)
	}
	lines := open(run)
	if len(lines) > 0 {
		b.WriteString("\n| outcome | check | nodes | reason |\n|---|---|---|---|\n")
		for _, l := range lines[:min(len(lines), mostLines)] {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", l.Outcome, cell(l.named()), cell(l.on()), cell(short(l.Reason, longestCell)))
		}
		if more := len(lines) - mostLines; more > 0 {
			fmt.Fprintf(&b, "| | and %d more | | |\n", more)
		}
	}
	for i, f := range v.Findings[:min(len(v.Findings), mostFindings)] {
		if i == 0 {
			b.WriteString("\n### Probable causes\n")
		}
		fmt.Fprintf(&b, "\n%d. **%s**%s: %s (confidence %.2f)\n", i+1, f.Code, cell(onNodes(f)), cell(f.Title), f.Confidence)
		for _, q := range f.Evidence[:min(len(f.Evidence), mostQuotes)] {
			fmt.Fprintf(&b, "   `%s:%d`\n", q.File, q.Line)
			b.WriteString(fenced(short(q.Text, 2*longestCell), "text", "   "))
		}
		if len(f.Fix) > 0 {
			b.WriteString(fenced(strings.Join(f.Fix, "\n"), "sh", "   "))
		}
	}
	if len(v.Findings) == 0 && len(run.Bundles) > 0 {
		b.WriteString("\nThe evidence does not decide on a cause; it is attached to report.html.\n")
	}
	if run.Rerun != "" {
		fmt.Fprintf(&b, "\nRun it again:\n\n%s", fenced(run.Rerun, "sh", ""))
	}
	return b.String()
}

// factsLine is the cluster in one line.
func factsLine(run Run) string {
	var parts []string
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	c := run.Cluster
	add("cluster %s", c.Name)
	add("Kubernetes %s", c.Server)
	if n := len(c.Nodes); n > 0 {
		parts = append(parts, fmt.Sprintf("%d nodes", n))
	}
	add("CNI %s", c.CNI)
	add("kube-proxy %s", c.ProxyMode)
	add("limited to %s", run.Selection)
	if len(parts) > 0 {
		add("took %s", took(run.Duration))
	}
	return strings.Join(parts, " · ")
}

func onNodes(f diagnosis.Finding) string {
	if len(f.Nodes) == 0 {
		return ""
	}
	return " on " + some(f.Nodes, 3)
}

// fenced is a code block, each line behind indent, with a fence that text does
// not contain.
func fenced(text, language, indent string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	lines := append(append([]string{fence + language}, strings.Split(text, "\n")...), fence)
	return indent + strings.Join(lines, "\n"+indent) + "\n"
}

// cell keeps text from being taken for markup: in a table a bar ends a cell,
// and what comes from the cluster may hold anything.
func cell(s string) string {
	return strings.NewReplacer(
		"\n", " ", "|", `\|`, "<", "&lt;", ">", "&gt;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`,
	).Replace(s)
}
