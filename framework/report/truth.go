// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"

	"github.com/cniproof/cniproof/framework/check"
)

// truth is what was wanted and what was observed on a node or between a pair.
type truth struct {
	// From is the node, or "cluster"; To the other one of a pair.
	From, To         string
	Wanted, Observed string
	Check            string
	// Class is the outcome, and More how many other checks failed there too.
	Class string
	More  int
}

// truths are the nodes and pairs on which checks failed, each once, with the
// first of the checks that count.
func truths(run Run, all []check.Result) []truth {
	var list []truth
	at := map[pair]int{}
	for _, class := range []string{string(check.Failed), advisory} {
		for _, res := range all {
			if res.Outcome != check.Failed || run.counts(res) != (class != advisory) {
				continue
			}
			said := map[pair]bool{}
			for _, f := range res.Failures {
				p := pair{f.Node, f.Peer}
				if p.From == "" {
					p.From = "cluster"
				}
				i, known := at[p]
				switch {
				case !known:
					at[p] = len(list)
					list = append(list, truth{p.From, p.To, short(f.Wanted, longestTip), short(f.Observed, longestTip), res.ID, class, 0})
				case !said[p] && list[i].Check != res.ID:
					list[i].More++
				}
				said[p] = true
			}
		}
	}
	return list
}

// legend are the signs that the page shows.
func legend(p view) []mark {
	shown := map[string]bool{}
	for _, s := range p.Strips {
		for _, m := range s.Marks {
			shown[m.Class] = true
		}
	}
	for _, g := range p.Grids {
		for _, r := range g.Rows {
			for _, m := range r.Marks {
				shown[m.Class] = true
			}
		}
	}
	var list []mark
	for _, class := range slices.Backward(severities) {
		if shown[class] {
			list = append(list, mark{Class: class, Text: inWords(class)})
		}
	}
	return list
}

// remarkable are the nodes with those first that have something to tell.
func remarkable(nodes []Node, c columns) []Node {
	nodes = slices.Clone(nodes)
	rank := func(n Node) int {
		switch {
		case n.NotReady != "":
			return 0
		case slices.Contains(c.Own, n.Name):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(nodes, func(a, b Node) int { return rank(a) - rank(b) })
	return nodes
}
