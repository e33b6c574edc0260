// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// columns are the nodes as every table of the page has them: those with a
// column of their own, and the rest, which share the last one.
type columns struct {
	Own, Rest []string
	// Left is what names are shown without, e.g. "blue-" or ".example.internal".
	Left  []string
	short map[string]string
	at    map[string]int
}

// head is a node, or several, at the head of a column or row.
type head struct{ Short, Full string }

// mostColumns is how many nodes have a column of their own. In a larger cluster
// those with something to tell have one.
const mostColumns = 6

// newColumns parts the nodes of the cluster, in its order.
func newColumns(run Run, all []check.Result) columns {
	var nodes []string
	known := map[string]bool{}
	add := func(name string) {
		if !known[name] {
			known[name] = true
			nodes = append(nodes, name)
		}
	}
	for _, n := range run.Cluster.Nodes {
		add(n.Name)
	}
	trouble := map[string]int{}
	for _, res := range all {
		perNode := res.PerNode()
		for _, n := range res.Nodes {
			add(n.Node)
			switch {
			case n.Outcome == check.Failed && perNode:
				trouble[n.Node] += 1000
			case n.Outcome == check.Unknown && perNode:
				trouble[n.Node]++
			}
		}
	}
	c := columns{Own: nodes, at: map[string]int{}}
	if len(nodes) > mostColumns {
		c.Own = nil
		worst := slices.Clone(nodes)
		slices.SortStableFunc(worst, func(a, b string) int { return cmp.Compare(trouble[b], trouble[a]) })
		worst = worst[:mostColumns]
		for _, n := range nodes {
			if trouble[n] > 0 && slices.Contains(worst, n) {
				c.Own = append(c.Own, n)
			} else {
				c.Rest = append(c.Rest, n)
			}
		}
	}
	for _, n := range c.Rest {
		c.at[n] = len(c.Own)
	}
	for i, n := range c.Own {
		c.at[n] = i
	}
	c.short, c.Left = shorten(nodes)
	return c
}

// Len is the number of columns.
func (c columns) Len() int { return len(c.Heads()) }

// Heads are the columns' heads.
func (c columns) Heads() []head {
	var heads []head
	for _, n := range c.Own {
		heads = append(heads, head{c.Short(n), n})
	}
	if rest := c.others(); rest != "" {
		heads = append(heads, head{rest, rest})
	}
	return heads
}

func (c columns) others() string {
	switch {
	case len(c.Rest) == 0:
		return ""
	case len(c.Own) == 0:
		return fmt.Sprintf("all %d nodes", len(c.Rest))
	}
	return fmt.Sprintf("%d other nodes", len(c.Rest))
}

// nodes are those of column i.
func (c columns) nodes(i int) []string {
	if i == len(c.Own) {
		return c.Rest
	}
	return c.Own[i : i+1]
}

// Short is the node's name without what the names of all have in common.
func (c columns) Short(node string) string { return cmp.Or(c.short[node], node) }

// shorten cuts from the names what they have in common: what is before a dash
// or dot, as long as a letter follows, and the domain behind.
func shorten(names []string) (short map[string]string, left []string) {
	if len(names) < 2 {
		return nil, nil
	}
	prefix, suffix := names[0], names[0]
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
		for !strings.HasSuffix(n, suffix) {
			suffix = suffix[1:]
		}
	}
	letters := func(prefix string) bool {
		return !slices.ContainsFunc(names, func(n string) bool {
			return len(n) <= len(prefix) || strings.IndexByte("abcdefghijklmnopqrstuvwxyz", n[len(prefix)]) < 0
		})
	}
	for prefix != "" && !letters(prefix) || strings.Trim(prefix, "-.") == prefix && prefix != "" {
		prefix = prefix[:len(prefix)-1]
	}
	if dot := strings.IndexByte(suffix, '.'); dot < 0 {
		suffix = ""
	} else {
		suffix = suffix[dot:]
	}
	short = map[string]string{}
	for _, n := range names {
		s := strings.TrimSuffix(strings.TrimPrefix(n, prefix), suffix)
		if s == "" {
			return nil, nil
		}
		short[n] = s
	}
	return short, slices.DeleteFunc([]string{prefix, suffix}, func(s string) bool { return s == "" })
}
