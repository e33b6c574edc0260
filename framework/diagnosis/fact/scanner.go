// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"strings"
	"sync"
)

// scanner knows all wordings. It is built once, after all packages that register
// wordings are initialised, and is not changed then.
type scanner struct {
	automaton *automaton
	phrases   []phrase
	// owners lists, per literal of the automaton, the phrases that are tried
	// when it is found; needs lists, per phrase, the groups of literals of which
	// a text must have one each.
	owners [][]int32
	needs  [][][]int32
}

var theScanner = sync.OnceValue(func() *scanner { return newScanner(wordings) })

func newScanner(all []*Wording) *scanner {
	s := &scanner{}
	var literals []string
	index := map[string]int32{}
	number := func(literal string) int32 {
		at, known := index[literal]
		if !known {
			at = int32(len(literals))
			index[literal] = at
			literals = append(literals, literal)
			s.owners = append(s.owners, nil)
		}
		return at
	}
	for _, w := range all {
		for _, p := range w.phrases {
			me := int32(len(s.phrases))
			s.phrases = append(s.phrases, p)
			var needs [][]int32
			for _, group := range p.anchors {
				var numbers []int32
				for _, literal := range group {
					numbers = append(numbers, number(literal))
				}
				needs = append(needs, numbers)
			}
			s.needs = append(s.needs, needs)
			for _, literal := range rarest(p.anchors) {
				at := number(literal)
				s.owners[at] = append(s.owners[at], me)
			}
		}
	}
	s.automaton = newAutomaton(literals)
	return s
}

// hit is a wording found in a text.
type hit struct {
	wording *Wording
	// at is where the match begins in the cleaned text.
	at   int
	args map[string]string
}

// search is a scanner with the scratch memory of one reader; it is not safe for
// concurrent use.
type search struct {
	*scanner
	// seen marks, per literal, the last text that had it; tried, per phrase, the
	// last text it was tried on.
	seen, tried []uint32
	text        uint32
	found       []int32
}

func (s *scanner) search() *search {
	return &search{scanner: s, seen: make([]uint32, len(s.owners)), tried: make([]uint32, len(s.phrases))}
}

// find returns the wordings in text, each once, at its first phrase that
// matches, and the text as cleaned for matching where there is any.
func (s *search) find(text string) ([]hit, string) {
	s.text++
	s.found = s.found[:0]
	s.automaton.find(text, func(literal int32) {
		if s.seen[literal] != s.text {
			s.seen[literal] = s.text
			s.found = append(s.found, literal)
		}
	})
	var hits []hit
	cleaned := ""
	for _, literal := range s.found {
		for _, p := range s.owners[literal] {
			if s.tried[p] == s.text || !s.possible(p) {
				continue
			}
			s.tried[p] = s.text
			if cleaned == "" {
				cleaned = clean(text)
			}
			if h, ok := s.phrases[p].match(cleaned); ok && !has(hits, h.wording) {
				hits = append(hits, h)
			}
		}
	}
	return hits, cleaned
}

// possible tells whether the text has a literal of each group a phrase needs.
func (s *search) possible(phrase int32) bool {
group:
	for _, group := range s.needs[phrase] {
		for _, literal := range group {
			if s.seen[literal] == s.text {
				continue group
			}
		}
		return false
	}
	return true
}

func has(hits []hit, w *Wording) bool {
	for _, h := range hits {
		if h.wording == w {
			return true
		}
	}
	return false
}

func (p phrase) match(text string) (hit, bool) {
	re := p.compile()
	m := re.FindStringSubmatchIndex(text)
	if m == nil {
		return hit{}, false
	}
	h := hit{wording: p.of, at: m[0]}
	for i, name := range re.SubexpNames() {
		if name != "" && m[2*i] >= 0 {
			if h.args == nil {
				h.args = map[string]string{}
			}
			h.args[name] = strings.ToValidUTF8(text[m[2*i]:m[2*i+1]], "")
		}
	}
	return h, true
}
