// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// line is one line of what is not green: a check, or several that one thing
// keeps from being judged.
type line struct {
	Outcome check.Outcome
	// Checks are IDs.
	Checks []string
	Nodes  []string
	Reason string
	// Advisory tells that it does not count in the verdict.
	Advisory bool
}

// open returns what is not green, worst first. Checks that one prerequisite
// blocks are one line, and so are those that did not run: one root cause must
// not fill the screen.
func open(run Run) []line {
	var lines []line
	gathered := map[string]int{}
	for _, outcome := range outcomes {
		for _, res := range run.all() {
			if res.Outcome != outcome || outcome == check.Passed || outcome == check.NotApplied {
				continue
			}
			l := line{Outcome: outcome, Checks: []string{res.ID}, Nodes: where(res), Reason: res.Reason, Advisory: !run.counts(res)}
			if len(l.Nodes) > 0 {
				l.Reason = strings.TrimPrefix(l.Reason, l.Nodes[0]+": ")
			}
			if res.BlockedBy == "" && outcome != Skipped {
				lines = append(lines, l)
				continue
			}
			k := fmt.Sprint(outcome, l.Advisory, res.Reason)
			if i, ok := gathered[k]; ok {
				lines[i].Checks = append(lines[i].Checks, res.ID)
				continue
			}
			gathered[k] = len(lines)
			lines = append(lines, l)
		}
	}
	// What does not count comes after all that does.
	slices.SortStableFunc(lines, func(a, b line) int {
		switch {
		case a.Advisory == b.Advisory:
			return 0
		case b.Advisory:
			return -1
		}
		return 1
	})
	return lines
}

// headline says in one sentence what to know.
func headline(run Run, v Verdict) string {
	switch {
	case run.Problem != "" && len(run.Results) == 0:
		return "the run could not start: " + run.Problem
	case run.Problem != "":
		return "the run did not end: " + run.Problem
	case !run.Complete && len(run.Results) == 0:
		return "the run has not made a check yet"
	case !run.Complete:
		return "the run goes on, or was killed: " + tally(v)
	}
	return tally(v)
}

// broken names the nodes on which checks that count failed.
func broken(run Run) []string {
	var nodes []string
	for _, res := range run.all() {
		if res.Outcome != check.Failed || !run.counts(res) {
			continue
		}
		for _, node := range where(res) {
			if !slices.Contains(nodes, node) {
				nodes = append(nodes, node)
			}
		}
	}
	slices.Sort(nodes)
	return nodes
}

// named is what a line is about, in a few words.
func (l line) named() string {
	s := some(l.Checks, 3)
	if l.Advisory {
		s += " (advisory)"
	}
	return s
}

// on is where, in a few words; what blocks says so itself.
func (l line) on() string {
	if strings.HasPrefix(l.Reason, "blocked by ") {
		return ""
	}
	return some(l.Nodes, 3)
}

// short cuts s to n characters.
func short(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > n {
		return strings.TrimSpace(string(runes[:n-3])) + "..."
	}
	return s
}
