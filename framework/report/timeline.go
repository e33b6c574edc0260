// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/cniproof/cniproof/framework/gate"
	"github.com/cniproof/cniproof/framework/monitor"
)

// timeline is the picture of a gate: a row for each path that had a gap and for
// each kind of thing that happened, against time. Positions are percent of its
// width.
type timeline struct {
	Ticks []tick
	Rows  []timeRow
	// Calm is how many paths had no gap, Left how many more had one than are shown.
	Calm, Left int
}

type tick struct {
	X    float64
	Text string
}

// timeRow is one row: what happened (marks) or where a path did not work (gaps).
type timeRow struct {
	Name, Sub string
	Class     string
	Spans     []stretch
}

// stretch is a stretch of time; one without a length is drawn as a line.
type stretch struct {
	X, Width float64
	Class    string
	Says     string
}

const mostTimeRows = 40

// newTimeline draws the gate's time, nil where nothing was watched.
func newTimeline(r *gate.Result) *timeline {
	if r == nil || len(r.Paths) == 0 || !r.End.After(r.Begin) {
		return nil
	}
	whole := r.End.Sub(r.Begin)
	x := func(at time.Time) float64 {
		return min(100, max(0, 100*float64(at.Sub(r.Begin))/float64(whole)))
	}
	t := &timeline{}
	for i := range 7 {
		at := r.Begin.Add(whole * time.Duration(i) / 6)
		t.Ticks = append(t.Ticks, tick{x(at), at.UTC().Format("15:04:05")})
	}
	t.Rows = happened(r, x)
	paths := slices.Clone(r.Paths)
	slices.SortStableFunc(paths, func(a, b gate.PathResult) int { return int(b.Total/time.Millisecond) - int(a.Total/time.Millisecond) })
	shown := 0
	for _, p := range paths {
		if len(p.Gaps) == 0 {
			t.Calm++
			continue
		}
		if shown++; shown > mostTimeRows {
			t.Left++
			continue
		}
		row := timeRow{Name: p.Path.Way + " " + p.Path.Flow + " " + p.Path.Family, Sub: p.Path.Node, Class: "path"}
		if p.Path.Peer != "" && p.Path.Peer != p.Path.Node {
			row.Sub += " to " + p.Path.Peer
		}
		for _, g := range p.Gaps {
			class := "gap"
			if g.Own || p.Path.Control() {
				class = "own"
			}
			says := fmt.Sprintf("%s at %s, %d samples lost", took(g.Length()), g.Begin.UTC().Format("15:04:05.000"), g.Lost)
			if g.Broken > 0 {
				says += fmt.Sprintf(", connection lost %d times", g.Broken)
			}
			if g.Own {
				says += "; the monitor itself did not get to run"
			}
			row.Spans = append(row.Spans, stretch{x(g.Begin), x(g.End) - x(g.Begin), class, says})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// happened are the rows of what happened, by what it was about.
func happened(r *gate.Result, x func(time.Time) float64) []timeRow {
	var rows []timeRow
	for _, about := range []struct{ key, name string }{
		{monitor.AboutCommand, "upgrade command"}, {monitor.AboutAPIServer, "API server away"}, {monitor.AboutNode, "nodes"},
		{monitor.AboutCNI, "CNI"}, {monitor.AboutProxy, "kube-proxy"}, {monitor.AboutDNS, "DNS"},
	} {
		row := timeRow{Name: about.name, Class: "happening"}
		if about.key == monitor.AboutCommand && r.Command != nil {
			for _, line := range r.Command.Lines {
				row.Spans = append(row.Spans, stretch{x(line.At), 0, "line", line.At.UTC().Format("15:04:05.000") + "  " + line.Text})
			}
		}
		for _, h := range r.Happenings {
			if h.About != about.key {
				continue
			}
			s := stretch{X: x(h.At), Class: about.key, Says: gate.Words(h)}
			if !h.Until.IsZero() {
				s.Width = x(h.Until) - s.X
			}
			row.Spans = append([]stretch{s}, row.Spans...)
		}
		if len(row.Spans) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// Height of a row of the picture and where its middle is, in pixels.
const timeRowHeight = 18

// Height is that of the picture.
func (t *timeline) Height() int { return timeRowHeight*len(t.Rows) + 22 }

// Y is where row i begins.
func (t *timeline) Y(i int) int { return timeRowHeight * i }

// Text is where the row's words are.
func (t *timeline) Text(i int) int { return timeRowHeight*i + 13 }
