// SPDX-License-Identifier: Apache-2.0

package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

// blocks are the nodes on which a check cannot tell anything, because one of
// its prerequisites failed or was inconclusive there.
type blocks struct {
	// nodes maps a node to the prerequisite that blocks it: the one at the root
	// where that was blocked itself.
	nodes map[string]string
	// cluster is the prerequisite that blocks every node, without having named
	// any; empty when there is none.
	cluster string
}

// add takes in the result of a prerequisite. The first that blocks a node is
// the one that counts.
func (b *blocks) add(res Result) {
	if res.Outcome != Failed && res.Outcome != Unknown {
		return
	}
	if len(res.Nodes) == 0 {
		b.cluster = cmp.Or(b.cluster, res.BlockedBy, res.ID)
	}
	for _, n := range res.Nodes {
		if n.Outcome != Failed && n.Outcome != Unknown {
			continue
		}
		if _, ok := b.nodes[n.Node]; !ok {
			b.nodes[n.Node] = cmp.Or(n.BlockedBy, res.ID)
		}
	}
}

// by returns what blocks the node, empty when nothing does.
func (b blocks) by(node string) string { return cmp.Or(b.nodes[node], b.cluster) }

// free returns the nodes that are not blocked.
func (b blocks) free(nodes []cluster.Node) []cluster.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n cluster.Node) bool { return b.by(n.Name) != "" })
}

// first returns what blocks the first blocked node of scope, or the cluster.
func (b blocks) first(scope []string) string {
	for _, node := range scope {
		if by := b.by(node); by != "" {
			return by
		}
	}
	return b.cluster
}

// sentence says which of scope are blocked by what; empty when none is.
func (b blocks) sentence(scope []string) string {
	var order []string
	nodes := map[string][]string{}
	for _, node := range scope {
		if by := b.by(node); by != "" {
			if nodes[by] == nil {
				order = append(order, by)
			}
			nodes[by] = append(nodes[by], node)
		}
	}
	var parts []string
	for _, by := range order {
		on := strings.Join(nodes[by], ", ")
		if len(nodes[by]) == len(scope) && len(scope) > 1 {
			on = "every node"
		}
		parts = append(parts, "by "+by+" on "+on)
	}
	switch {
	case len(parts) > 0:
		return oneLine("blocked "+strings.Join(parts, "; "), 0)
	case b.cluster != "":
		return "blocked by " + b.cluster
	}
	return ""
}

// nodeResults are those of the blocked nodes of scope.
func (b blocks) nodeResults(scope []string) map[string]NodeResult {
	results := map[string]NodeResult{}
	for _, node := range scope {
		if by := b.by(node); by != "" {
			results[node] = NodeResult{Node: node, Outcome: Unknown, Reason: "blocked by " + by, BlockedBy: by}
		}
	}
	return results
}
