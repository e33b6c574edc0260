// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
)

// figure is a measurement that no picture shows.
type figure struct {
	Name, Check string
	// All is the figure of the cluster, or what those of its nodes come to.
	All string
	// Cells are the largest of each column; empty where there is none.
	Cells []string
}

// figures are the measurements that no picture draws.
func figures(all []check.Result, c columns) []figure {
	type key struct{ check, name, unit string }
	var order []key
	taken := map[key][]check.Measurement{}
	for _, res := range all {
		for _, m := range res.Measurements {
			if isMTU(m) || isTime(m) || slices.ContainsFunc(charts, func(ch chart) bool { return ch.draws(m) }) {
				continue
			}
			k := key{res.ID, m.Name, m.Unit}
			if taken[k] == nil {
				order = append(order, k)
			}
			taken[k] = append(taken[k], m)
		}
	}
	var list []figure
	for _, k := range order {
		f := figure{Name: k.name, Check: k.check, Cells: make([]string, c.Len())}
		most := map[int]float64{}
		var values []float64
		for _, m := range taken[k] {
			values = append(values, m.Value)
			if i, ok := c.at[m.Node]; ok {
				if known, ok := most[i]; !ok || m.Value > known {
					most[i], f.Cells[i] = m.Value, amount(m.Value, k.unit)
				}
			}
		}
		f.All = sumUp(values, k.unit)
		list = append(list, f)
	}
	return list
}

// isTime tells whether m is a time from node to node, which grids show.
func isTime(m check.Measurement) bool { return m.Unit == "ms" && m.Peer != "" }

// sumUp is what several figures come to, in a few words.
func sumUp(values []float64, unit string) string {
	slices.SortFunc(values, cmp.Compare)
	least, most := values[0], values[len(values)-1]
	if least == most {
		return amount(most, unit)
	}
	return fmt.Sprintf("%s to %s", amount(least, unit), amount(most, unit))
}
