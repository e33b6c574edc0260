// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
)

// matrix is the table of all checks, with nodes as columns.
type matrix struct {
	Columns []string
	Areas   []section
}

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

// mostColumns is how many nodes have a column of their own. In a larger cluster
// those with something to tell have one, and the rest share the last.
const mostColumns = 6

func tabulate(run Run) matrix {
	all := run.all()
	own, rest := columns(run, all)
	m := matrix{Columns: own}
	if len(rest) > 0 {
		m.Columns = append(slices.Clip(own), fmt.Sprintf("%d other nodes", len(rest)))
	}
	for _, res := range all {
		if len(m.Areas) == 0 || m.Areas[len(m.Areas)-1].Area != res.Area {
			m.Areas = append(m.Areas, section{Area: res.Area})
		}
		s := &m.Areas[len(m.Areas)-1]
		s.Rows = append(s.Rows, checkRow{res, !run.counts(res), cells(res, own, rest)})
	}
	return m
}

// columns parts the nodes of the cluster into those with a column of their own
// and the rest, both in the cluster's order.
func columns(run Run, all []check.Result) (own, rest []string) {
	var nodes []string
	trouble := map[string]int{}
	for _, n := range run.Cluster.Nodes {
		nodes = append(nodes, n.Name)
	}
	for _, res := range all {
		for _, n := range res.Nodes {
			if !slices.Contains(nodes, n.Node) {
				nodes = append(nodes, n.Node)
			}
			switch {
			case n.Outcome == check.Failed && res.PerNode():
				trouble[n.Node] += 1000
			case n.Outcome == check.Unknown && res.PerNode():
				trouble[n.Node]++
			}
		}
	}
	if len(nodes) <= mostColumns {
		return nodes, nil
	}
	worst := slices.Clone(nodes)
	slices.SortStableFunc(worst, func(a, b string) int { return cmp.Compare(trouble[b], trouble[a]) })
	for _, n := range nodes {
		if i := slices.Index(worst, n); i < mostColumns && trouble[n] > 0 {
			own = append(own, n)
		} else {
			rest = append(rest, n)
		}
	}
	return own, rest
}

func cells(res check.Result, own, rest []string) []tableCell {
	n := len(own)
	if len(rest) > 0 {
		n++
	}
	if len(res.Nodes) == 0 || !res.PerNode() && res.Outcome != check.Passed {
		c := cellOf(check.NodeResult{Node: "all nodes", Outcome: res.Outcome, Reason: res.Reason, BlockedBy: res.BlockedBy})
		c.Span = max(n, 1)
		return []tableCell{c}
	}
	var list []tableCell
	for _, node := range own {
		list = append(list, cellOf(resultOn(res, node)))
	}
	if len(rest) > 0 {
		list = append(list, shared(res, rest))
	}
	return list
}

// resultOn is what became of the check on the node.
func resultOn(res check.Result, node string) check.NodeResult {
	for _, n := range res.Nodes {
		if n.Node == node {
			return n
		}
	}
	return check.NodeResult{Node: node}
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

// shared is one cell for several nodes: the worst of them, and how many of
// them that are.
func shared(res check.Result, nodes []string) tableCell {
	var worst check.NodeResult
	count := map[check.Outcome]int{}
	for _, node := range nodes {
		n := resultOn(res, node)
		count[n.Outcome]++
		if badness(n.Outcome) > badness(worst.Outcome) {
			worst = n
		}
	}
	c := cellOf(worst)
	c.Node = fmt.Sprintf("%d other nodes", len(nodes))
	if n := count[worst.Outcome]; n < len(nodes) {
		c.Text = fmt.Sprintf("%d %s", n, c.Text)
	}
	return c
}

// badness orders outcomes from none over passed to failed.
func badness(o check.Outcome) int {
	return slices.Index([]check.Outcome{"", check.Passed, check.NotApplied, check.Unknown, check.Failed}, o)
}
