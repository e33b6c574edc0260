// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"

	"github.com/cniproof/cniproof/framework/check"
)

// grid is who reaches whom over one protocol: a row for each node that asks and
// a column for each that is asked.
type grid struct {
	Title, Protocol string
	Rows            []gridRow
	// Note sums it up.
	Note string
}

type gridRow struct {
	head
	Marks []mark
}

// trip is the check that goes from node to node, and Within the one that stays on
// a node, where that is another.
type trip struct{ Title, Across, Within string }

// trips are what their grids are called. A check that is not here and records
// times with a Peer has grids too, under its own title.
var trips = []trip{
	{"Pod to pod", "pod.other-node", "pod.same-node"},
	{"Pod to node", "pod.to-host-network", ""},
	{"Node to pod", "pod.from-host-network", ""},
}

// echo is the measurement that shows that a protocol passes; its family is named
// as in Cluster.Families.
type echo struct{ Family, Measurement, Protocol string }

var echoes = []echo{
	{"IPv4", "TCP echo", "TCP"},
	{"IPv4", "UDP echo", "UDP"},
	{"IPv6", "TCP echo over IPv6", "TCP over IPv6"},
	{"IPv6", "UDP echo over IPv6", "UDP over IPv6"},
}

// of tells whether the cluster has the family; IPv4 where that is not known.
func (e echo) of(c Cluster) bool {
	return slices.Contains(c.Families, e.Family) || len(c.Families) == 0 && e.Family == "IPv4"
}

// grids are those of which something is known: those of trips, then those of
// other checks.
func grids(run Run, all []check.Result, c columns) []grid {
	byID := map[string]check.Result{}
	for _, res := range all {
		byID[res.ID] = res
	}
	var list []grid
	for _, t := range trips {
		across, within := byID[t.Across], byID[t.Within]
		delete(byID, t.Across)
		delete(byID, t.Within)
		for _, e := range echoes {
			if e.of(run.Cluster) {
				r := newReach(e.Measurement, across)
				if t.Within != "" {
					r.stay(within)
				}
				list = appendGrid(list, r.grid(c), grid{Title: t.Title, Protocol: e.Protocol})
			}
		}
	}
	for _, res := range all {
		if _, left := byID[res.ID]; left {
			for _, name := range between(res) {
				list = appendGrid(list, newReach(name, res).grid(c), grid{Title: res.Title, Protocol: name})
			}
		}
	}
	return list
}

// appendGrid adds g, named, where something is known of it. Protocols of one
// trip of which nothing could be measured share a grid.
func appendGrid(list []grid, g, named grid) []grid {
	if g.Note == "" {
		return list
	}
	g.Title, g.Protocol = named.Title, named.Protocol
	if len(list) > 0 {
		if last := &list[len(list)-1]; last.Title == g.Title && last.Note == unmeasured && g.Note == unmeasured {
			last.Protocol += ", " + g.Protocol
			return list
		}
	}
	return append(list, g)
}

// between are the names of the times that res took from node to node.
func between(res check.Result) []string {
	var names []string
	for _, m := range res.Measurements {
		if m.Unit == "ms" && m.Peer != "" && !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	return names
}

// unmeasured is the note where no pair could be asked.
const unmeasured = "not measured"

// grid is the picture; its note is empty where nothing is known.
func (r reach) grid(c columns) grid {
	type place struct{ row, column int }
	placed := map[place][]pair{}
	for p := range r.pairs {
		at := place{c.at[p.From], c.at[p.To]}
		placed[at] = append(placed[at], p)
	}
	g := grid{Note: r.note(c)}
	for i, from := range c.Heads() {
		row := gridRow{head: from}
		for j, to := range c.Heads() {
			m := r.mark(placed[place{i, j}])
			if len(placed[place{i, j}]) == 0 {
				m = r.unasked(c.nodes(i), c.nodes(j))
				if g.Note == "" && !m.Calm() {
					g.Note = unmeasured
				}
			}
			m.Where = from.Full + " to " + to.Full
			if i == j {
				m.Where = from.Full + " to itself"
			}
			if i == j && len(c.nodes(i)) > 1 {
				m.Where = "among " + from.Full
			}
			row.Marks = append(row.Marks, m)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}
