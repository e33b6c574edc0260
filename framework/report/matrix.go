// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
)

// section is the checks of an area in the table of all checks, which has nodes
// as columns.
type section struct {
	Area string
	Rows []checkRow
}

type checkRow struct {
	check.Result
	Advisory bool
	Cells    []tableCell
}

// tableCell is what became of a check on a node, or on Span of them.
type tableCell struct {
	// Class is the outcome, as the style sheet knows it.
	Class string
	Text  string
	Why   string
	Span  int
	// Node is the column's name, for narrow screens.
	Node string
}

// Said tells that no other part of the page has the reason, so that the cell
// must not hide it in a tooltip.
func (c tableCell) Said() bool {
	return c.Why != "" && (c.Class == string(check.Passed) || c.Class == string(check.NotApplied))
}

func tabulate(run Run, all []check.Result, c columns) []section {
	var sections []section
	for _, res := range all {
		if len(sections) == 0 || sections[len(sections)-1].Area != res.Area {
			sections = append(sections, section{Area: res.Area})
		}
		s := &sections[len(sections)-1]
		s.Rows = append(s.Rows, checkRow{res, !run.counts(res), cells(res, c)})
	}
	return sections
}

func cells(res check.Result, c columns) []tableCell {
	if len(res.Nodes) == 0 || !res.PerNode() && res.Outcome != check.Passed {
		all := cellOf(check.NodeResult{Node: "all nodes", Outcome: res.Outcome, Reason: res.Reason, BlockedBy: res.BlockedBy})
		all.Span = max(c.Len(), 1)
		return []tableCell{all}
	}
	on := byNode(res)
	var list []tableCell
	for _, node := range c.Own {
		list = append(list, cellOf(on(node)))
	}
	if len(c.Rest) > 0 {
		list = append(list, shared(on, c))
	}
	return list
}

// byNode finds what became of the check on a node.
func byNode(res check.Result) func(node string) check.NodeResult {
	results := make(map[string]check.NodeResult, len(res.Nodes))
	for _, n := range res.Nodes {
		results[n.Node] = n
	}
	return func(node string) check.NodeResult {
		if n, ok := results[node]; ok {
			return n
		}
		return check.NodeResult{Node: node}
	}
}

func cellOf(n check.NodeResult) tableCell {
	c := tableCell{Class: string(n.Outcome), Text: string(n.Outcome), Why: n.Reason, Span: 1, Node: n.Node}
	switch {
	case n.Outcome == "":
		c.Class, c.Text, c.Why = "none", "–", "not in scope"
	case n.Outcome == check.Unknown && n.BlockedBy != "":
		c.Class, c.Text = "blocked", "blocked"
	case n.Outcome == check.NotApplied:
		c.Text = "n/a"
	}
	return c
}

// shared is one cell for the rest of the nodes: the worst of them, and how many
// of them that are.
func shared(on func(string) check.NodeResult, columns columns) tableCell {
	var worst check.NodeResult
	count := map[check.Outcome]int{}
	for _, node := range columns.Rest {
		n := on(node)
		count[n.Outcome]++
		if badness(n.Outcome) > badness(worst.Outcome) {
			worst = n
		}
	}
	c := cellOf(worst)
	c.Node = columns.others()
	if n := count[worst.Outcome]; n < len(columns.Rest) {
		c.Text = fmt.Sprintf("%d %s", n, c.Text)
	}
	return c
}

// badness orders outcomes from none over passed to failed.
func badness(o check.Outcome) int {
	return slices.Index([]check.Outcome{"", check.Passed, check.NotApplied, check.Unknown, check.Failed}, o)
}
