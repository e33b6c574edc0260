// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"sort"
	"strings"
	"time"
)

// Quote is one decisive line.
type Quote struct {
	File string
	// Line counts from 1.
	Line int
	Text string
}

// Statement is a wording as one component said it at one place.
type Statement struct {
	Wording *Wording
	// Args are the named groups of the phrase that matched.
	Args map[string]string
	// Text is the whole record with quoting undone, for rules that look at
	// what surrounds the wording.
	Text  string
	Quote Quote
	// Time is when it was said, the zero time when the line does not tell.
	Time time.Time
	// Node is where; empty when nothing tells. Pod is namespace/name, or a name
	// alone, of the pod that said it or that it was said of.
	Node, Pod string
	// Sort is the kind of evidence it was found in.
	Sort Sort

	// ago is how long before the evidence was taken, for events that tell only
	// that.
	ago    time.Duration
	hasAgo bool
}

// Saying is all that one file has of one wording about one node.
type Saying struct {
	Wording *Wording
	Node    string
	Sort    Sort
	// First and Last are when it was said, zero when unknown.
	First, Last time.Time
	// Samples are the first and the latest statements, in the order of the file.
	Samples []Statement
}

// Latest is the last statement read.
func (s *Saying) Latest() Statement { return s.Samples[len(s.Samples)-1] }

// Bounds of what is kept of repeated statements.
const (
	keptFirst  = 4
	keptLatest = 12
)

// add keeps the first statements and the latest ones, so that memory does not
// grow with a log that says the same for days.
func (s *Saying) add(statement Statement) {
	if len(s.Samples) == keptFirst+keptLatest {
		copy(s.Samples[keptFirst:], s.Samples[keptFirst+1:])
		s.Samples = s.Samples[:len(s.Samples)-1]
	}
	s.Samples = append(s.Samples, statement)
}

// longestQuote is how much of a line is quoted: the head, which has the time
// and the component, and what surrounds the match.
const longestQuote = 700

// excerpt shortens a line around the bytes from at on.
func excerpt(line string, at int) string {
	line = strings.TrimSpace(line)
	if len(line) <= longestQuote {
		return line
	}
	const head, before = 160, 120
	if at < longestQuote-before {
		return strings.ToValidUTF8(line[:longestQuote], "") + " ..."
	}
	start := min(at-before, len(line)-(longestQuote-head))
	end := min(start+longestQuote-head, len(line))
	quoted := line[:head] + " ... " + line[start:end]
	if end < len(line) {
		quoted += " ..."
	}
	return strings.ToValidUTF8(quoted, "")
}

// Said returns what was said of the wordings, the most recent first, and what
// has no time last.
func (f *Facts) Said(wordings ...*Wording) []Saying {
	var found []Saying
	for _, s := range f.Sayings {
		for _, w := range wordings {
			if s.Wording == w {
				found = append(found, s)
			}
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Last.After(found[j].Last) })
	return found
}
