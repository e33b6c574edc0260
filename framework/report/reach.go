// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// pair is who asks and who is asked.
type pair struct{ From, To string }

// meeting is what became of a pair.
type meeting struct {
	ms      float64
	failure *check.Failure
	check   string
}

// reach is what is known of all pairs.
type reach struct {
	name string
	// across is the result that judges pairs and diagonal the one that judges
	// nodes with themselves.
	across, diagonal check.Result
	pairs            map[pair]meeting
}

// newReach reads a result. A pair with a time was reached; one that failed and
// has none was not.
func newReach(name string, res check.Result) reach {
	r := reach{name: name, across: res, diagonal: res, pairs: map[pair]meeting{}}
	r.read(res)
	return r
}

// stay has res judge nodes with themselves.
func (r *reach) stay(res check.Result) {
	r.diagonal = res
	r.read(res)
}

func (r *reach) read(res check.Result) {
	for _, m := range res.Measurements {
		p := pair{m.Node, cmp.Or(m.Peer, m.Node)}
		if m.Name == r.name && m.Node != "" && m.Value >= r.pairs[p].ms {
			r.pairs[p] = meeting{ms: m.Value, check: res.ID}
		}
	}
	for i, f := range res.Failures {
		p := pair{f.Node, cmp.Or(f.Peer, f.Node)}
		if _, reached := r.pairs[p]; f.Node != "" && !reached {
			r.pairs[p] = meeting{failure: &res.Failures[i], check: res.ID}
		}
	}
}

// note sums up what was asked; it is empty where nothing was.
func (r reach) note(c columns) string {
	var slowest pair
	var times []float64
	for p, m := range r.pairs {
		if m.failure != nil {
			continue
		}
		times = append(times, m.ms)
		if most := r.pairs[slowest].ms; m.ms > most || m.ms == most && before(p, slowest) < 0 {
			slowest = p
		}
	}
	switch {
	case len(r.pairs) == 0:
		return ""
	case len(times) == 0:
		return fmt.Sprintf("none of %d reached", len(r.pairs))
	}
	slices.Sort(times)
	return fmt.Sprintf("%d of %d reached; median %s, slowest %s (%s to %s)", len(times), len(r.pairs),
		amount(times[len(times)/2], "ms"), amount(times[len(times)-1], "ms"), c.Short(slowest.From), c.Short(slowest.To))
}

func before(a, b pair) int {
	return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
}

// mark is what became of the pairs of one cell, worst first.
func (r reach) mark(pairs []pair) mark {
	slices.SortFunc(pairs, before)
	var bad []pair
	slowest := meeting{}
	for _, p := range pairs {
		m := r.pairs[p]
		if m.failure != nil {
			bad = append(bad, p)
		} else if m.ms >= slowest.ms {
			slowest = m
		}
	}
	switch {
	case len(bad) == 0 && len(pairs) > 0:
		m := mark{Class: string(check.Passed), Text: brief(slowest.ms), Says: "reached in " + amount(slowest.ms, "ms")}
		if len(pairs) > 1 {
			m.Says = fmt.Sprintf("all %d pairs reached, in %s at most", len(pairs), amount(slowest.ms, "ms"))
		}
		return m
	case len(bad) > 0:
		first := r.pairs[bad[0]]
		m := mark{Class: string(check.Failed), Says: "failed", Wanted: first.failure.Wanted, Observed: first.failure.Observed, Check: first.check}
		if len(pairs) > 1 {
			m.Text = fmt.Sprintf("%d of %d", len(bad), len(pairs))
			m.Says = fmt.Sprintf("%d of %d pairs failed, first %s to %s", len(bad), len(pairs), bad[0].From, bad[0].To)
		}
		return m
	}
	return mark{Class: none, Says: "not asked"}
}

// brief is a time in ms in as few characters as tell it.
func brief(ms float64) string {
	switch {
	case ms < 0.05:
		return "<0.1"
	case ms < 10:
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}

// unasked is why no pair between these nodes was asked: one of them could not.
func (r reach) unasked(from, to []string) mark {
	res := r.across
	if slices.Equal(from, to) {
		res = r.diagonal
	}
	on := byNode(res)
	for _, nodes := range [][]string{from, to} {
		first := on(nodes[0])
		all := func(o check.Outcome) bool {
			return !slices.ContainsFunc(nodes, func(n string) bool { return on(n).Outcome != o })
		}
		switch {
		case first.Outcome == check.Unknown && all(check.Unknown):
			m := mark{Class: string(check.Unknown), Says: "not measured, " + first.Node + ": " + first.Reason}
			if first.BlockedBy != "" {
				m.Class = blocked
			}
			return m
		case first.Outcome == check.NotApplied && all(check.NotApplied):
			return mark{Class: string(check.NotApplied), Says: "not applicable, " + first.Reason}
		case first.Outcome == check.Failed && len(res.Failures) > 0 && res.Failures[0].Node == "":
			return mark{Class: string(check.Failed), Says: "failed", Wanted: res.Failures[0].Wanted, Observed: res.Failures[0].Observed, Check: res.ID}
		}
	}
	return mark{Class: none, Says: "not asked"}
}
