// SPDX-License-Identifier: Apache-2.0

package check

import (
	"maps"
	"slices"
	"strings"
)

// culprits returns the nodes that explain the failures, so that the rest of
// the cluster is still judged. A failure without a peer marks its node. Of
// failing pairs, the nodes with the most failing counterparts are marked, until
// each pair has a marked end: when nothing passes to or from worker2, that is
// worker2 and not every node that talks to it. Where the pairs do not decide (a
// single pair), both ends are marked.
func culprits(failures []Failure) map[string]bool {
	bad := map[string]bool{}
	counterparts := map[string]map[string]bool{}
	meet := func(a, b string) {
		if counterparts[a] == nil {
			counterparts[a] = map[string]bool{}
		}
		counterparts[a][b] = true
	}
	for _, f := range failures {
		switch {
		case f.Node == "":
		case f.Peer == "" || f.Peer == f.Node:
			bad[f.Node] = true
		default:
			meet(f.Node, f.Peer)
			meet(f.Peer, f.Node)
		}
	}
	for {
		var worst []string
		most := 1
		for node, others := range counterparts {
			if bad[node] {
				continue
			}
			switch unexplained := countUnmarked(others, bad); {
			case unexplained > most:
				most, worst = unexplained, []string{node}
			case unexplained == most:
				worst = append(worst, node)
			}
		}
		if len(worst) == 0 {
			return bad
		}
		for _, node := range worst {
			bad[node] = true
		}
	}
}

func countUnmarked(nodes, marked map[string]bool) int {
	n := 0
	for node := range nodes {
		if !marked[node] {
			n++
		}
	}
	return n
}

// reasonAt is the line for a marked node: the first failure it has a part in.
func reasonAt(node string, failures []Failure) string {
	first, n := "", 0
	for _, f := range failures {
		if f.Node != node && f.Peer != node {
			continue
		}
		if n++; n > 1 {
			continue
		}
		switch place := (&Failure{Wanted: f.Wanted, Observed: f.Observed}).Error(); {
		case f.Node == node && f.Peer != "" && f.Peer != node:
			first = "to " + f.Peer + ": " + place
		case f.Node != node:
			first = "from " + f.Node + ": " + place
		default:
			first = place
		}
	}
	return oneLine(first, n-1)
}

// exceptWith names the marked nodes that an unmarked one failed with.
func exceptWith(node string, failures []Failure) string {
	others := map[string]bool{}
	for _, f := range failures {
		switch node {
		case f.Node:
			others[f.Peer] = true
		case f.Peer:
			others[f.Node] = true
		}
	}
	if len(others) == 0 {
		return ""
	}
	return oneLine("except with "+strings.Join(sorted(others), ", "), 0)
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
