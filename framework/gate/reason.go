// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/monitor"
)

// Reason is what the gaps of a time were most likely owed to.
type Reason struct {
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
	// Kinds and Nodes are those of the gaps it is about.
	Kinds []string `json:"kinds"`
	Nodes []string `json:"nodes"`
	// Because is the happening; nil where there is none that fits.
	Because *monitor.Happening `json:"because,omitempty"`
	// Text is it in words.
	Text string `json:"text"`
}

func (r Reason) about(kind string) bool {
	return kind == Total || slices.Contains(r.Kinds, kind) ||
		kind == Broken && slices.ContainsFunc(r.Kinds, func(k string) bool { return strings.HasSuffix(k, "/"+monitor.FlowHeld) })
}

// near is how long before a gap something may have happened to be its reason: an
// agent that was stopped is missed when its rules or leases are, and times of
// objects are to the second. after is how long after.
const (
	near  = 15 * time.Second
	after = 2 * time.Second
	// together is how far apart gaps may begin to have one reason.
	together = 3 * time.Second
)

// Explain names a reason for each group of gaps that came together.
func Explain(paths []PathResult, happenings []monitor.Happening, command *Command) []Reason {
	var all []monitor.Gap
	for _, p := range paths {
		if !p.Path.Control() {
			all = append(all, p.counted()...)
		}
	}
	slices.SortFunc(all, func(a, b monitor.Gap) int { return a.Begin.Compare(b.Begin) })
	var reasons []Reason
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Begin.Sub(all[n-1].Begin) < together {
			n++
		}
		reasons = append(reasons, explain(all[:n], paths, happenings, command))
		all = all[n:]
	}
	return reasons
}

func explain(gaps []monitor.Gap, paths []PathResult, happenings []monitor.Happening, command *Command) Reason {
	r := Reason{Begin: gaps[0].Begin}
	broken, longest := 0, gaps[0]
	var fresh, held time.Duration
	sides := map[string]int{}
	for _, g := range gaps {
		if g.End.After(r.End) {
			r.End = g.End
		}
		if !slices.Contains(r.Kinds, g.Path.Kind()) {
			r.Kinds = append(r.Kinds, g.Path.Kind())
		}
		for _, node := range []string{g.Path.Node, g.Path.Peer} {
			if node != "" && (node == g.Path.Node || g.Path.Way != monitor.Egress) {
				sides[node]++
			}
		}
		if g.Length() > longest.Length() {
			longest = g
		}
		broken += g.Broken
		if g.Path.Flow == monitor.FlowHeld {
			held = max(held, g.Length())
		} else {
			fresh = max(fresh, g.Length())
		}
	}
	// The node that most of the gaps touch is where it happened, others met it.
	for node := range sides {
		r.Nodes = append(r.Nodes, node)
	}
	slices.SortFunc(r.Nodes, func(a, b string) int { return cmp.Or(cmp.Compare(sides[b], sides[a]), cmp.Compare(a, b)) })
	lost := fmt.Sprintf("%s lost %s", longest.Path, seconds(longest.Length()))
	if len(gaps) > 1 {
		lost += fmt.Sprintf(" (and %d more gaps)", len(gaps)-1)
	}
	at := longest.Begin.UTC().Format("15:04:05.000")
	r.Because = likeliest(gaps, r, happenings)
	switch {
	case broken > 0 && fresh < time.Second && (fresh == 0 || held > 3*fresh):
		why := "connection tracking was flushed, or the NAT rules they were made by were rewritten or pointed elsewhere"
		if r.Because != nil {
			why += "; " + Words(*r.Because) + " then"
		}
		r.Text = fmt.Sprintf("%d established %s cut at %s while new ones worked: %s; %s", broken, plural(broken, "connection was", "connections were"), at, why, lost)
	case away(gaps, paths):
		r.Text = fmt.Sprintf("%s itself was away at %s, nodes did not reach it either; %s", r.Nodes[0], at, lost)
	case r.Because != nil:
		r.Text = fmt.Sprintf("%s; %s", Words(*r.Because), lost)
	default:
		r.Text = fmt.Sprintf("at %s %s (%s); nothing was seen to happen to nodes, CNI, kube-proxy or DNS then", at, lost, ways(longest.Letters))
	}
	if line := said(command, longest.Begin); line != "" && r.Because == nil {
		r.Text += "; the command was at: " + line
	}
	return r
}

// Words is a happening as a clause: "flannel was stopped on worker2 at 10:03:12".
func Words(h monitor.Happening) string {
	s := h.What
	if h.About == monitor.AboutNode {
		s = h.Node + " " + h.What
	} else if h.Node != "" {
		s += " on " + h.Node
	}
	s += " at " + h.At.UTC().Format("15:04:05")
	if !h.Until.IsZero() {
		s += fmt.Sprintf(" for %s", seconds(h.Until.Sub(h.At)))
	}
	return s
}

// likeliest is the happening that fits the gaps best: of the kind of thing that
// their paths need, on a node they touch, and close in time.
func likeliest(gaps []monitor.Gap, r Reason, happenings []monitor.Happening) *monitor.Happening {
	var best *monitor.Happening
	most := 0.0
	for i, h := range happenings {
		begin := h.At
		if !h.Until.IsZero() && h.Until.Before(r.Begin.Add(-near)) || h.Until.IsZero() && begin.Before(r.Begin.Add(-near)) || begin.After(r.End.Add(after)) || h.About == monitor.AboutAPIServer {
			continue
		}
		score := 1 - r.Begin.Sub(begin).Abs().Seconds()/(2*near.Seconds())
		for _, g := range gaps {
			score += needs(g.Path.Way, h.About) / float64(len(gaps))
		}
		if i := slices.Index(r.Nodes, h.Node); i >= 0 {
			score += 1 / float64(1+i)
		} else if h.Node != "" && h.About != monitor.AboutDNS {
			// Only a Service may lead to a node that is not known.
			if !slices.ContainsFunc(gaps, func(g monitor.Gap) bool { return g.Path.Way == monitor.Service || g.Path.Way == monitor.NodePort }) {
				continue
			}
			score -= 0.6
		}
		if score > most && score > 1 {
			most, best = score, &happenings[i]
		}
	}
	return best
}

// needs says how much a way depends on what happened, from 0 to 2.
func needs(way, about string) float64 {
	switch about {
	case monitor.AboutNode:
		return 1
	case monitor.AboutDNS:
		if way == monitor.DNS {
			return 2
		}
		return -1
	case monitor.AboutProxy:
		switch way {
		case monitor.Service, monitor.NodePort:
			return 2
		case monitor.DNS:
			return 1.5
		}
		return -0.5
	case monitor.AboutCNI:
		return 1.2
	}
	return 0
}

// away tells whether the control between nodes failed with the gaps.
func away(gaps []monitor.Gap, paths []PathResult) bool {
	for _, p := range paths {
		if p.Path.Way != monitor.ControlNode {
			continue
		}
		for _, c := range p.counted() {
			if c.Begin.Before(gaps[0].End) && gaps[0].Begin.Before(c.End) && 2*c.Length() > gaps[0].Length() {
				return true
			}
		}
	}
	return false
}

// ways is letters of samples in words.
func ways(letters string) string {
	names := map[rune]string{
		job.SampleTimedOut: "timed out", job.SampleRefused: "refused", job.SampleUnreachable: "unreachable", job.SampleReset: "reset",
		job.SampleAbandoned: "silent until given up", job.SampleName: "wrong DNS answer", job.SampleOther: "other errors",
	}
	var list []string
	for _, letter := range letters {
		list = append(list, names[letter])
	}
	return strings.Join(list, ", ")
}

// said is the last line of the command's output before a moment.
func said(c *Command, at time.Time) string {
	if c == nil {
		return ""
	}
	line := ""
	for _, l := range c.Lines {
		if l.At.After(at.Add(after)) {
			break
		}
		line = l.Text
	}
	return line
}
