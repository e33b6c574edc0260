// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// chart is a picture of bars: a measurement, or several of a kind, per node.
type chart struct {
	ID, Title string
	// Prefixes begin the names of the measurements that it shows, in its order.
	Prefixes []string

	// Most is where the bars end, in ms.
	Most float64
	Rows []chartRow
	// Hidden is how many nodes are left out, whose bars are shorter.
	Hidden int
}

// charts says what is drawn as bars, by the beginnings of the measurements'
// names. Names that nothing draws are in the table of other measurements.
var charts = []chart{
	{ID: "sandbox-latency", Title: "Pod sandbox latency", Prefixes: []string{"sandbox latency", "sandbox start", "sandbox removal"}},
	{ID: "dns-latency", Title: "DNS latency", Prefixes: []string{"DNS lookup"}},
	{ID: "service-latency", Title: "Changes of a Service followed", Prefixes: []string{"endpoint added", "endpoint removed"}},
	{ID: "egress-latency", Title: "Latency to the outside", Prefixes: []string{"TCP connect to", "GET http"}},
}

// chartRow is the bars of a node, or of the cluster.
type chartRow struct {
	head
	Bars []bar
	most float64
}

// bar is a measurement at a node: of several, the median and the most. At and To
// are those, and Middle the median of all nodes, in percent of the chart's width.
type bar struct {
	Label       string
	Value, Most float64
	At, To      float64
	Middle      float64
	N           int
	Class       string // of the series, for its colour
}

// mostBars is how many nodes have bars: beyond it those with the longest.
const mostBars = 12

// draws tells whether the chart shows m.
func (c chart) draws(m check.Measurement) bool {
	return m.Unit == "ms" && m.Peer == "" && slices.ContainsFunc(c.Prefixes, func(p string) bool { return strings.HasPrefix(m.Name, p) })
}

// drawn are the charts that have something to show.
func drawn(all []check.Result, c columns) []chart {
	var list []chart
	for _, ch := range charts {
		if ch.fill(all, c); len(ch.Rows) > 0 {
			list = append(list, ch)
		}
	}
	return list
}

// fill reads the measurements.
func (ch *chart) fill(all []check.Result, c columns) {
	taken := map[string]map[string][]float64{} // by series and node
	known := map[string]bool{}
	var series, nodes []string
	for _, res := range all {
		for _, m := range res.Measurements {
			if !ch.draws(m) {
				continue
			}
			if taken[m.Name] == nil {
				taken[m.Name] = map[string][]float64{}
				series = append(series, m.Name)
			}
			taken[m.Name][m.Node] = append(taken[m.Name][m.Node], m.Value)
			ch.Most = math.Max(ch.Most, m.Value)
			if !known[m.Node] {
				known[m.Node] = true
				nodes = append(nodes, m.Node)
			}
		}
	}
	order := func(name string) int {
		return slices.IndexFunc(ch.Prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	slices.SortStableFunc(series, func(a, b string) int { return cmp.Compare(order(a), order(b)) })
	labels := distinct(series)
	middle := map[string]float64{}
	for _, name := range series {
		middle[name] = typical(taken[name])
	}
	for _, node := range nodes {
		row := chartRow{head: head{cmp.Or(c.Short(node), "cluster"), cmp.Or(node, "the cluster")}}
		for i, name := range series {
			if values := taken[name][node]; len(values) > 0 {
				b := newBar(values, ch.Most)
				b.Label, b.Class = labels[i], fmt.Sprintf("series-%d", i%4)
				b.Middle = share(middle[name], ch.Most)
				row.Bars = append(row.Bars, b)
				row.most = math.Max(row.most, b.Most)
			}
		}
		ch.Rows = append(ch.Rows, row)
	}
	if len(ch.Rows) > mostBars {
		slices.SortStableFunc(ch.Rows, func(a, b chartRow) int { return cmp.Compare(b.most, a.most) })
		ch.Hidden = len(ch.Rows) - mostBars
		ch.Rows = ch.Rows[:mostBars]
	}
}

// distinct is what tells the series apart: without the words they begin with alike.
func distinct(series []string) []string {
	if len(series) < 2 {
		return series
	}
	var labels []string
	for _, name := range series {
		words := strings.Fields(name)
		common := 0
		for common < len(words)-1 && !slices.ContainsFunc(series, func(other string) bool {
			f := strings.Fields(other)
			return len(f) <= common+1 || f[common] != words[common]
		}) {
			common++
		}
		labels = append(labels, strings.Join(words[common:], " "))
	}
	return labels
}

func newBar(values []float64, most float64) bar {
	values = slices.Sorted(slices.Values(values))
	b := bar{Value: values[len(values)/2], Most: values[len(values)-1], N: len(values)}
	b.At, b.To = share(b.Value, most), share(b.Most, most)
	return b
}

// typical is the median of the nodes' medians.
func typical(byNode map[string][]float64) float64 {
	var medians []float64
	for _, values := range byNode {
		values = slices.Sorted(slices.Values(values))
		medians = append(medians, values[len(values)/2])
	}
	slices.Sort(medians)
	return medians[len(medians)/2]
}

// share is value's part of most in percent, to a tenth.
func share(value, most float64) float64 {
	if most <= 0 {
		return 0
	}
	return math.Round(1000*math.Max(value, 0)/most) / 10
}
