// SPDX-License-Identifier: Apache-2.0

// Package gate decides whether what was done to a cluster, an upgrade most often,
// was good for its pod network: it was healthy before or not, traffic survived or
// not, it is healthy after and not worse. It compares runs, weighs what monitors
// saw against a budget, and names what a gap was most likely owed to. Runs are
// framework/session's, monitors framework/monitor's, reports framework/report's.
package gate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/monitor"
)

// Result is all that is known of a gate, as plain data.
type Result struct {
	// Phase is "before" for a gate that waits for its other half; else empty.
	Phase   string   `json:"phase,omitempty"`
	Command *Command `json:"command,omitempty"`
	// Begin and End bound the time that was watched and counts: from before the
	// command until the cluster had settled.
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
	// RedBefore are the checks that failed before anything was done.
	RedBefore []string `json:"redBefore,omitempty"`
	Comparison
	Paths      []PathResult        `json:"paths,omitempty"`
	Spent      []Spent             `json:"spent,omitempty"`
	Happenings []monitor.Happening `json:"happenings,omitempty"`
	Reasons    []Reason            `json:"reasons,omitempty"`
	// Missing says what the monitors could not tell.
	Missing []string `json:"missing,omitempty"`
	// Unsettled says what of the cluster had not settled when the time for it was
	// over.
	Unsettled  string `json:"unsettled,omitempty"`
	ReportOnly bool   `json:"reportOnly,omitempty"`
	Strict     bool   `json:"strict,omitempty"`
}

// PathResult is what a monitor saw of a path.
type PathResult struct {
	Path monitor.Path `json:"path"`
	// Samples that were sent, and of them those that failed.
	Samples int `json:"samples"`
	Failed  int `json:"failed"`
	// Watched is the time from the first sample to the last.
	Watched time.Duration `json:"watchedNanoseconds"`
	Gaps    []monitor.Gap `json:"gaps,omitempty"`
	Longest time.Duration `json:"longestNanoseconds"`
	Total   time.Duration `json:"totalNanoseconds"`
	Broken  int           `json:"broken,omitempty"`
}

// counted are the gaps that are the cluster's.
func (p PathResult) counted() []monitor.Gap {
	return slices.DeleteFunc(slices.Clone(p.Gaps), func(g monitor.Gap) bool { return g.Own })
}

// Case is one question a gate asks, and its answer.
type Case struct {
	Name string `json:"name"`
	// Failed says why the answer is no, Unclear why there is none; both empty is
	// yes. Details are lines that go with it.
	Failed  string   `json:"failed,omitempty"`
	Unclear string   `json:"unclear,omitempty"`
	Details []string `json:"details,omitempty"`
}

// WithinBudget begins the names of cases about a line of the budget; its kind
// follows.
const WithinBudget = "disruption within budget: "

// Cases are the gate's questions, in order.
func (r *Result) Cases() []Case {
	var cases []Case
	if r.Command != nil {
		c := Case{Name: "the upgrade command succeeds", Failed: r.Command.Failed()}
		for _, line := range r.Command.Lines[max(0, len(r.Command.Lines)-10):] {
			c.Details = append(c.Details, line.Text)
		}
		cases = append(cases, c)
	}
	if r.Phase == "before" {
		return cases
	}
	worse := Case{Name: "no check fails that did not before"}
	var regressions, unclear []string
	for _, change := range r.Regressions {
		if change.Level != "advisory" || r.Strict {
			regressions = append(regressions, change.Check)
			worse.Details = append(worse.Details, change.says())
		}
	}
	for _, change := range r.Unclear {
		if change.Level != "advisory" || r.Strict {
			unclear = append(unclear, change.Check)
			worse.Details = append(worse.Details, change.says())
		}
	}
	if len(regressions) > 0 {
		worse.Failed = fmt.Sprintf("%d %s that did not before: %s", len(regressions), plural(len(regressions), "check fails", "checks fail"), strings.Join(regressions, ", "))
	} else if len(unclear) > 0 {
		worse.Unclear = "could not be told any more: " + strings.Join(unclear, ", ")
	}
	cases = append(cases, worse)
	watched := Case{Name: "every monitor could be asked", Details: r.Missing}
	if len(r.Missing) > 0 {
		watched.Unclear = fmt.Sprintf("%d could not: %s", len(r.Missing), r.Missing[0])
	} else if len(r.Paths) == 0 {
		watched.Unclear = "nothing was sampled"
	} else if busy := r.busy(); len(busy) > 0 {
		watched.Unclear = "less than half of the samples could be sent, the node was too busy: " + strings.Join(busy, ", ")
	}
	cases = append(cases, watched)
	for _, s := range r.Spent {
		c := Case{Name: WithinBudget + s.Kind}
		if s.Kind == Broken {
			c.Name = "established connections survive"
		}
		if s.Over() {
			c.Failed = s.Says()
			if s.Worst != "" {
				c.Failed += "; worst is " + s.Worst
			}
			for _, reason := range r.Reasons {
				if reason.about(s.Kind) {
					c.Details = append(c.Details, reason.Text)
				}
			}
		} else {
			c.Details = append(c.Details, s.Says())
		}
		cases = append(cases, c)
	}
	return cases
}

// busy are the nodes whose monitors sent less than half of what they were to. One
// that was not there all the time is counted for what it was.
func (r *Result) busy() []string {
	var nodes []string
	for _, p := range r.Paths {
		if p.Path.Way == monitor.ControlSelf && p.Samples > 0 && 2*time.Duration(p.Samples)*monitor.Every < p.Watched && !slices.Contains(nodes, p.Path.Node) {
			nodes = append(nodes, p.Path.Node)
		}
	}
	return nodes
}

func (c Change) says() string {
	s := fmt.Sprintf("%s was %s and is %s", c.Check, c.Before, c.After)
	if len(c.Nodes) > 0 {
		s += " on " + strings.Join(c.Nodes, ", ")
	}
	if c.Reason != "" {
		s += ": " + c.Reason
	}
	return s
}

// Failed are the reasons for which the gate is shut, Unclear those for which it
// cannot tell. With ReportOnly there are none.
func (r *Result) Failed() (failed, unclear []string) {
	if r.ReportOnly {
		return nil, nil
	}
	for _, c := range r.Cases() {
		switch {
		case c.Failed != "":
			failed = append(failed, c.Name+": no, "+c.Failed)
		case c.Unclear != "":
			unclear = append(unclear, c.Name+": "+c.Unclear)
		}
	}
	return failed, unclear
}

// Disrupted are the nodes whose gaps go beyond the budget, those with the longest
// first; at most so many that evidence of them is worth its time.
func (r *Result) Disrupted() []string {
	over := map[string]bool{}
	for _, s := range r.Spent {
		over[s.Kind] = s.Over()
	}
	longest := map[string]time.Duration{}
	for _, p := range r.Paths {
		lost := p.Broken > 0 && over[Broken]
		if !p.Path.Control() && p.Total > 0 && (over[p.Path.Kind()] || over[Total] || lost) {
			longest[p.Path.Node] = max(longest[p.Path.Node], p.Total)
		}
	}
	nodes := slices.SortedFunc(maps.Keys(longest), func(a, b string) int {
		return cmp.Or(cmp.Compare(longest[b], longest[a]), strings.Compare(a, b))
	})
	return nodes[:min(len(nodes), 3)]
}

// Blames tells whether the check's failure, or that it cannot be told any more, is
// owed to what was gated.
func (r *Result) Blames(id string) bool {
	if r.ReportOnly {
		return false
	}
	is := func(c Change) bool { return c.Check == id }
	return slices.ContainsFunc(r.Regressions, is) || slices.ContainsFunc(r.Unclear, is)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Summarize makes PathResults of samples, for the time from begin to end.
func Summarize(samples monitor.Samples, begin, end time.Time) []PathResult {
	byPath := map[monitor.Path]*PathResult{}
	var order []monitor.Path
	for path, list := range samples {
		p := &PathResult{Path: path}
		var first time.Time
		for _, s := range list {
			if s.At.Before(begin) || s.At.After(end) {
				continue
			}
			if p.Samples++; p.Samples == 1 {
				first = s.At
			}
			p.Watched = s.At.Sub(first)
			if s.Letter != '.' && s.Letter != 's' {
				p.Failed++
			}
		}
		byPath[path] = p
		order = append(order, path)
	}
	for _, g := range samples.Gaps(begin, end) {
		p := byPath[g.Path]
		p.Gaps = append(p.Gaps, g)
		if !g.Own {
			p.Longest, p.Total, p.Broken = max(p.Longest, g.Length()), p.Total+g.Length(), p.Broken+g.Broken
		}
	}
	rank := func(p monitor.Path) int {
		if i := slices.Index(monitor.Ways, p.Way); i >= 0 {
			return i
		}
		return len(monitor.Ways)
	}
	slices.SortFunc(order, func(a, b monitor.Path) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a.String(), b.String())
	})
	var out []PathResult
	for _, path := range order {
		out = append(out, *byPath[path])
	}
	return out
}
