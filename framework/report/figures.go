// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
)

// figure is one thing that a check measured, wherever it did.
type figure struct {
	Name, Check, Unit string
	Points            []point
	// Hidden is how many smaller ones are left out; Least, Median and Most are
	// of all.
	Hidden              int
	Least, Median, Most float64
	N                   int
}

// point is a figure at a place. Share is its part of the largest, in percent.
type point struct {
	Where string
	Value float64
	Share int
}

// mostPoints is how many places of a figure are shown: beyond it, the largest.
const mostPoints = 12

func figures(run Run) []figure {
	type key struct{ check, name, unit string }
	var order []key
	taken := map[key][]check.Measurement{}
	for _, res := range run.all() {
		for _, m := range res.Measurements {
			k := key{res.ID, m.Name, m.Unit}
			if taken[k] == nil {
				order = append(order, k)
			}
			taken[k] = append(taken[k], m)
		}
	}
	var list []figure
	for _, k := range order {
		list = append(list, newFigure(figure{Name: k.name, Check: k.check, Unit: k.unit}, taken[k]))
	}
	return list
}

func newFigure(f figure, taken []check.Measurement) figure {
	byValue := slices.Clone(taken)
	slices.SortStableFunc(byValue, func(a, b check.Measurement) int { return cmp.Compare(b.Value, a.Value) })
	f.N = len(taken)
	f.Most, f.Median, f.Least = byValue[0].Value, byValue[f.N/2].Value, byValue[f.N-1].Value
	if f.N > mostPoints {
		taken, f.Hidden = byValue[:mostPoints], f.N-mostPoints
	}
	for _, m := range taken {
		p := point{Where: label(m), Value: m.Value}
		if f.Most > 0 {
			p.Share = int(math.Round(100 * math.Max(m.Value, 0) / f.Most))
		}
		f.Points = append(f.Points, p)
	}
	return f
}
