// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis"
)

// A summary fits a terminal of these, with some lines to spare for what others
// print around it; report.html has the rest.
const (
	screenRows    = 36
	screenColumns = 100
	causeRows     = 16 // of which the causes take so many at most
)

// sheet is lines that together take no more than so many rows of a terminal.
type sheet struct {
	lines []string
	left  int
}

// add adds lines, all or none of them.
func (s *sheet) add(lines ...string) bool {
	need := 0
	for _, l := range lines {
		need += 1 + max(0, len([]rune(l))-1)/screenColumns
	}
	if need > s.left {
		return false
	}
	s.left -= need
	s.lines = append(s.lines, lines...)
	return true
}

// Summary is what a terminal shows at the end of run: what is not green, and
// why. However much that is, it fits a screen.
func Summary(run Run) string {
	v := Judge(run)
	first := fmt.Sprintf("%s: %s", strings.ToUpper(v.Verdict), headline(run, v))
	if run.Cluster.Name != "" {
		first += fmt.Sprintf(" (%s, %s)", run.Cluster.Name, took(run.Duration))
	}
	s := &sheet{left: screenRows}
	s.add(short(first, 3*screenColumns))
	if run.Gate != nil {
		for _, line := range gateLines(run) {
			s.add(line)
		}
	}
	causes := probable(v.Findings)
	if len(v.Findings) == 0 {
		causes = apart(run)
	}
	s.left -= causeRows - causes.left
	s.tell(run)
	return strings.Join(append(s.lines, causes.lines...), "\n") + "\n"
}

// tell lists what is not green: line by line where that fits, else what has one
// cause, or is of one area, together.
func (s *sheet) tell(run Run) {
	lines := open(run)
	if len(lines) == 0 {
		return
	}
	const perLine = 2
	if perLine*len(lines) > s.left-1 {
		lines = gather(run, lines)
	}
	s.add("")
	for i, l := range lines {
		last := i == len(lines)-1
		if s.left < perLine || s.left == perLine && !last {
			left := 0
			for _, l := range lines[i:] {
				left += len(l.Checks)
			}
			s.add(fmt.Sprintf("  and %d more in report.html", left))
			return
		}
		s.add(
			cutTo(fmt.Sprintf("  %-12s  %s", l.Outcome, l.terse(len(run.Cluster.Nodes))), screenColumns),
			"      "+short(l.Reason, screenColumns-6))
	}
}

// terse is what a line is about, what tells most first, on a cluster of so many
// nodes.
func (l line) terse(nodes int) string {
	s := l.named()
	if len(l.Checks) > 1 {
		s = fmt.Sprintf("%d checks", len(l.Checks))
		if l.Advisory {
			s += " (advisory)"
		}
	}
	switch on := l.on(); {
	case on != "" && len(l.Nodes) == nodes && nodes > 1:
		s += fmt.Sprintf(" on all %d nodes", nodes)
	case on != "":
		s += " on " + on
	}
	if len(l.Checks) > 1 {
		s += ": " + some(l.Checks, 3)
	}
	return s
}

// gather puts lines with the same outcome together that have the same most
// probable cause, or where none is known the same area.
func gather(run Run, lines []line) []line {
	var gathered []line
	at := map[string]int{}
	for _, l := range lines {
		area, _, _ := strings.Cut(l.Checks[0], ".")
		if findings := run.bundle(l.Checks[0]).Findings; len(findings) > 0 {
			area = key(findings[0])
		}
		k := fmt.Sprint(l.Outcome, l.Advisory, strings.HasPrefix(l.Reason, "blocked by "), area)
		i, ok := at[k]
		if !ok {
			at[k] = len(gathered)
			l.Checks, l.Nodes = slices.Clone(l.Checks), slices.Clone(l.Nodes)
			gathered = append(gathered, l)
			continue
		}
		g := &gathered[i]
		g.Checks = append(g.Checks, l.Checks...)
		for _, node := range l.Nodes {
			if !slices.Contains(g.Nodes, node) {
				g.Nodes = append(g.Nodes, node)
			}
		}
		slices.Sort(g.Nodes)
	}
	return gathered
}

// probable are the causes, best first, each with its decisive line and the
// commands that cure it, whole ones, so that they can be copied.
func probable(findings []diagnosis.Finding) *sheet {
	s := &sheet{left: causeRows}
	for i, f := range findings[:min(len(findings), mostFindings)] {
		title := fmt.Sprintf("  %d. %s%s: %s (confidence %.2f)", i+1, f.Code, onNodes(f), f.Title, f.Confidence)
		lines := []string{cutTo(title, 2*screenColumns)}
		if i == 0 {
			lines = append([]string{"", "probable causes"}, lines...)
		}
		for _, q := range f.Evidence[:min(len(f.Evidence), mostQuotes)] {
			lines = append(lines, cutTo(fmt.Sprintf("     %s:%d", q.File, q.Line), screenColumns), "       "+short(q.Text, screenColumns-7))
		}
		if !s.add(lines...) {
			return s
		}
		for _, command := range f.Fix {
			if !s.add("     fix: " + command) {
				return s
			}
		}
	}
	return s
}

// apart is what sets the nodes of failures without a probable cause apart from a
// healthy one: where to look first.
func apart(run Run) *sheet {
	s := &sheet{left: causeRows}
	told := map[string]bool{}
	for _, b := range run.Bundles {
		for _, d := range b.Differences {
			if told[d.Node] {
				continue
			}
			told[d.Node] = true
			if !s.add("", cutTo(fmt.Sprintf("the evidence does not decide; what sets %s apart from %s, which is healthy", d.Node, b.Manifest.Subject.Healthy), screenColumns)) {
				return s
			}
			for line := range strings.Lines(d.Text) {
				if !s.add("  " + cutTo(strings.TrimRight(line, "\n"), screenColumns-2)) {
					return s
				}
			}
		}
	}
	return s
}

// cutTo cuts s to n characters and leaves its spaces alone.
func cutTo(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-3]) + "..."
	}
	return s
}
