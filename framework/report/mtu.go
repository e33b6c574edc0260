// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// mtuTable is how large packets may be on each node, and the sums that their
// headers make. Its rows read like a sum: what the network between nodes
// carries, what the tunnel takes, what is left, and what was seen to pass.
type mtuTable struct {
	Rows []mtuRow
	Sums []mtuSum
}

// mtuRow is a measurement and its figure in each column, e.g. "1450" or, of
// several, "1400 to 1450"; empty where there is none.
type mtuRow struct {
	Name  string
	Cells []string
}

// The measurements, in the order of the sum; those whose name begins with
// pathMTU follow. Those of an underlay of IPv6 end with overIPv6.
const (
	underlayMTU    = "underlay MTU"
	tunnelOverhead = "tunnel overhead"
	tunnelMTU      = "tunnel MTU"
	podMTU         = "pod MTU"
	pathMTU        = "path MTU"
	overIPv6       = " over IPv6"
)

var mtuNames = []string{underlayMTU, tunnelOverhead, tunnelMTU, podMTU}

// isMTU tells whether the table shows m.
func isMTU(m check.Measurement) bool {
	return m.Node != "" && m.Unit == "bytes" && mtuRank(m.Name) >= 0
}

// mtuRank orders names, IPv4 first and paths last; -1 is none of them.
func mtuRank(name string) int {
	name, six := strings.CutSuffix(name, overIPv6)
	rank := slices.Index(mtuNames, name)
	if strings.HasPrefix(name, pathMTU) {
		rank = len(mtuNames)
	}
	if six && rank >= 0 {
		rank += len(mtuNames) + 1
	}
	return rank
}

// sizes are the smallest figure of each name on a node.
type sizes map[string]int

func newMTUTable(run Run, all []check.Result, c columns) mtuTable {
	onNode := map[string]sizes{}
	var names []string
	for _, res := range all {
		for _, m := range res.Measurements {
			if !isMTU(m) {
				continue
			}
			if !slices.Contains(names, m.Name) {
				names = append(names, m.Name)
			}
			if onNode[m.Node] == nil {
				onNode[m.Node] = sizes{}
			}
			if known, ok := onNode[m.Node][m.Name]; !ok || int(m.Value) < known {
				onNode[m.Node][m.Name] = int(m.Value)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(mtuRank(a), mtuRank(b)), strings.Compare(a, b))
	})
	var t mtuTable
	for _, name := range names {
		row := mtuRow{Name: name}
		for i := range c.Heads() {
			row.Cells = append(row.Cells, span(name, c.nodes(i), onNode))
		}
		t.Rows = append(t.Rows, row)
	}
	for i, h := range c.Heads() {
		for _, node := range c.nodes(i) {
			for _, s := range sums(run, onNode[node]) {
				t.add(s, h.Short)
			}
		}
	}
	return t
}

// span is from the smallest to the largest figure of the nodes.
func span(name string, nodes []string, onNode map[string]sizes) string {
	least, most, some := 0, 0, false
	for _, node := range nodes {
		if size, ok := onNode[node][name]; ok {
			if !some || size < least {
				least = size
			}
			most, some = max(most, size), true
		}
	}
	switch {
	case !some:
		return ""
	case least == most:
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// mostSums bounds how many different sums are shown.
const mostSums = 8

// add adds a sum once, with all the columns that it holds for.
func (t *mtuTable) add(s mtuSum, column string) {
	same := func(other mtuSum) bool {
		return s.Whole == other.Whole && s.Left == other.Left && s.Says == other.Says && slices.Equal(s.Headers, other.Headers)
	}
	i := slices.IndexFunc(t.Sums, same)
	if i < 0 && len(t.Sums) < mostSums {
		i, t.Sums = len(t.Sums), append(t.Sums, s)
	}
	if i >= 0 && !slices.Contains(t.Sums[i].Nodes, column) {
		t.Sums[i].Nodes = append(t.Sums[i].Nodes, column)
	}
}
