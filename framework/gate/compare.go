// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// Change is a check that did not end before and after alike, or was not green in
// either.
type Change struct {
	Check  string        `json:"check"`
	Level  check.Level   `json:"level"`
	Before check.Outcome `json:"before"`
	After  check.Outcome `json:"after"`
	// Nodes are those on which it fails after and did not before.
	Nodes  []string `json:"nodes,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// Figure is one measured before and after: the worst of all nodes.
type Figure struct {
	Check  string  `json:"check"`
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Comparison is what changed from one run to the other.
type Comparison struct {
	// Regressions failed after and not before, or on more nodes.
	Regressions []Change `json:"regressions,omitempty"`
	// Unclear could not be told after, and passed before.
	Unclear []Change `json:"unclear,omitempty"`
	// RedBefore failed before too, and Cured only then.
	RedBefore []Change `json:"redBefore,omitempty"`
	Cured     []Change `json:"cured,omitempty"`
	// Figures are those that moved.
	Figures []Figure `json:"figures,omitempty"`
}

// Compare puts the results of two runs side by side.
func Compare(before, after []check.Result) Comparison {
	known := map[string]check.Result{}
	for _, r := range before {
		known[r.ID] = r
	}
	var c Comparison
	for _, now := range after {
		was, ran := known[now.ID]
		change := Change{Check: now.ID, Level: now.Level, Before: was.Outcome, After: now.Outcome, Reason: now.Reason, Nodes: fresh(was, now)}
		switch {
		case !ran:
			// It was not selected before, or blocked everywhere.
		case now.Outcome == check.Failed && (was.Outcome != check.Failed || len(change.Nodes) > 0):
			c.Regressions = append(c.Regressions, change)
		case now.Outcome == check.Failed:
			c.RedBefore = append(c.RedBefore, change)
		case was.Outcome == check.Failed && now.Outcome == check.Passed:
			change.Reason = was.Reason
			c.Cured = append(c.Cured, change)
		case now.Outcome == check.Unknown && was.Outcome == check.Passed:
			c.Unclear = append(c.Unclear, change)
		}
	}
	c.Figures = figures(before, after)
	return c
}

// fresh are the nodes on which now failed and was did not.
func fresh(was, now check.Result) []string {
	red := func(r check.Result) []string {
		var nodes []string
		for _, n := range r.Nodes {
			if n.Outcome == check.Failed {
				nodes = append(nodes, n.Node)
			}
		}
		return nodes
	}
	before := red(was)
	return slices.DeleteFunc(red(now), func(node string) bool { return slices.Contains(before, node) })
}

// Of figures that moved are shown those that did by a quarter, and times that did
// by more than chance does on a busy node, in milliseconds.
const (
	moved  = 0.25
	chance = 10
)

func figures(before, after []check.Result) []Figure {
	type key struct{ check, name, unit string }
	worst := func(results []check.Result) map[key]float64 {
		out := map[key]float64{}
		for _, r := range results {
			for _, m := range r.Measurements {
				k := key{r.ID, m.Name, m.Unit}
				value, ok := out[k]
				// Of room the least is the worst, of times and counts the most.
				less := strings.Contains(m.Name, "MTU") || strings.Contains(r.ID, "headroom")
				if !ok || less && m.Value < value || !less && m.Value > value {
					out[k] = m.Value
				}
			}
		}
		return out
	}
	was, is := worst(before), worst(after)
	var list []Figure
	for k, a := range was {
		b, ok := is[k]
		if !ok || math.Abs(b-a) < moved*math.Abs(a) || a == b || k.unit == "ms" && math.Abs(b-a) < chance {
			continue
		}
		list = append(list, Figure{Check: k.check, Name: k.name, Unit: k.unit, Before: a, After: b})
	}
	slices.SortFunc(list, func(a, b Figure) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Unit, b.Unit))
	})
	return list
}

// Red are the required checks that failed, advisory ones too where strict.
func Red(results []check.Result, strict bool) []string {
	var ids []string
	for _, r := range results {
		if r.Outcome == check.Failed && (strict || r.Level != check.Advisory) {
			ids = append(ids, fmt.Sprintf("%s: %s", r.ID, r.Reason))
		}
	}
	return ids
}
