// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"slices"
	"sort"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// mostQuotes is how many lines a finding quotes: enough to decide, few enough
// to read.
const mostQuotes = 4

// telling is how near to the cause the sorts of evidence are: who acts tells
// more than who reports it.
var telling = []fact.Sort{fact.RuntimeLog, fact.KubeletLog, fact.CNIPodLog, fact.DNSLog, fact.ProxyLog, fact.KernelLog, fact.CNIFile, fact.CNIConfig,
	fact.NetworkState, fact.PodStatus, fact.Objects, fact.ProbeResult, fact.Pasted}

// cite makes a finding of what was said: the nodes, and the latest line of each
// sort of evidence.
func cite(confidence float64, sayings []fact.Saying) Finding {
	found := Finding{Confidence: confidence}
	sayings = slices.Clone(sayings)
	sort.SliceStable(sayings, func(i, j int) bool {
		return slices.Index(telling, sayings[i].Sort) < slices.Index(telling, sayings[j].Sort)
	})
	quoted := map[fact.Sort]bool{}
	for _, again := range []bool{false, true} {
		for _, s := range sayings {
			if quoted[s.Sort] == again {
				found.quote(s.Latest().Quote)
			}
			quoted[s.Sort] = true
		}
	}
	for _, s := range sayings {
		found.on(s.Node)
		if s.Last.After(found.last) {
			found.last = s.Last
		}
	}
	if len(sayings) > 0 {
		found.Step = string(sayings[0].Sort)
	}
	return found
}

// quote adds a line unless there are enough or it is there already.
func (f *Finding) quote(q fact.Quote) {
	quoted := Quote{File: q.File, Line: q.Line, Text: q.Text}
	if len(f.Evidence) < mostQuotes && !slices.Contains(f.Evidence, quoted) {
		f.Evidence = append(f.Evidence, quoted)
	}
}

// on adds a node.
func (f *Finding) on(node string) {
	if node != "" && !slices.Contains(f.Nodes, node) {
		f.Nodes = append(f.Nodes, node)
		sort.Strings(f.Nodes)
	}
}

// arg returns the first value that the sayings have for a named group.
func arg(sayings []fact.Saying, name string) string {
	for _, s := range sayings {
		for i := len(s.Samples) - 1; i >= 0; i-- {
			if v := s.Samples[i].Args[name]; v != "" {
				return v
			}
		}
	}
	return ""
}

// where keeps the sayings that have a statement for which wanted holds, with
// those statements alone.
func where(sayings []fact.Saying, wanted func(fact.Statement) bool) []fact.Saying {
	var kept []fact.Saying
	for _, s := range sayings {
		var samples []fact.Statement
		for _, statement := range s.Samples {
			if wanted(statement) {
				samples = append(samples, statement)
			}
		}
		if len(samples) > 0 {
			s.Samples = samples
			s.Last = samples[len(samples)-1].Time
			kept = append(kept, s)
		}
	}
	return kept
}

// matching keeps what was said in a text that matches.
func matching(sayings []fact.Saying, pattern matcher) []fact.Saying {
	return where(sayings, func(s fact.Statement) bool { return pattern.MatchString(s.Text) })
}

// without keeps what was said in a text that does not match.
func without(sayings []fact.Saying, pattern matcher) []fact.Saying {
	return where(sayings, func(s fact.Statement) bool { return !pattern.MatchString(s.Text) })
}

// matcher is *regexp.Regexp as far as rules need it.
type matcher interface{ MatchString(string) bool }

// some returns the finding when it has evidence.
func some(found Finding) []Finding {
	if len(found.Evidence) == 0 {
		return nil
	}
	return []Finding{found}
}

// told is a rule's Match that needs no more than that one of the wordings was
// said and still holds.
func told(confidence float64, wordings ...*fact.Wording) func(*fact.Facts) []Finding {
	return func(f *fact.Facts) []Finding {
		return some(cite(confidence, current(f, f.Said(wordings...))))
	}
}
