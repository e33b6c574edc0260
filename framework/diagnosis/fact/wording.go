// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
)

// Wording is one thing components say, in all the phrasings of their versions,
// e.g. "the runtime found no network configuration". Wordings are package-level
// values; make them with Say.
type Wording struct {
	// Means is what is said, as a clause a person reads.
	Means   string
	phrases []phrase
}

type phrase struct {
	of      *Wording
	source  string
	anchors []string
	// compile is deferred: most runs meet a few of the hundreds of phrases.
	compile func() *regexp.Regexp
}

// wordings are all that were registered, in order of package initialisation.
var wordings []*Wording

// Say registers a wording. Phrases are regular expressions that ignore case; a
// space stands for any run of white space, so that text wrapped by a terminal
// still matches. Named groups become the statement's Args. It panics on a
// phrase that is no regular expression or has no literal part of three bytes,
// as the package cannot work then.
func Say(means string, phrases ...string) *Wording {
	w := &Wording{Means: means}
	for _, source := range phrases {
		expression := `(?i)` + strings.ReplaceAll(source, " ", `\s+`)
		tree, err := syntax.Parse(expression, syntax.Perl)
		if err != nil {
			panic(fmt.Sprintf("wording %q: %v", means, err))
		}
		found := anchors(tree)
		if found == nil {
			panic(fmt.Sprintf("wording %q: phrase %q has no literal part of %d bytes", means, source, shortestAnchor))
		}
		w.phrases = append(w.phrases, phrase{
			of: w, source: source, anchors: found,
			compile: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) }),
		})
	}
	wordings = append(wordings, w)
	return w
}

// scanner finds wordings in text. It is built once, after all packages that
// register wordings are initialised; finding is safe for concurrent use.
type scanner struct {
	automaton *automaton
	// owners lists, per literal of the automaton, the phrases it is an anchor of.
	owners  [][]int32
	phrases []phrase
}

var theScanner = sync.OnceValue(func() *scanner { return newScanner(wordings) })

func newScanner(all []*Wording) *scanner {
	s := &scanner{}
	var literals []string
	index := map[string]int{}
	for _, w := range all {
		for _, p := range w.phrases {
			s.phrases = append(s.phrases, p)
			for _, anchor := range p.anchors {
				at, known := index[anchor]
				if !known {
					at = len(literals)
					index[anchor] = at
					literals = append(literals, anchor)
					s.owners = append(s.owners, nil)
				}
				s.owners[at] = append(s.owners[at], int32(len(s.phrases)-1))
			}
		}
	}
	s.automaton = newAutomaton(literals)
	return s
}

// hit is a wording found in a text.
type hit struct {
	wording *Wording
	// at and end are the bytes of the match.
	at, end int
	args    map[string]string
}

// find returns the wordings in text, each once, at its first phrase that
// matches.
func (s *scanner) find(text string) []hit {
	var candidates []int32
	s.automaton.find(text, func(literal int32) {
		for _, p := range s.owners[literal] {
			if !slices.Contains(candidates, p) {
				candidates = append(candidates, p)
			}
		}
	})
	if len(candidates) == 0 {
		return nil
	}
	text = clean(text)
	var hits []hit
	matched := map[*Wording]bool{}
	for _, c := range candidates {
		p := s.phrases[c]
		if matched[p.of] {
			continue
		}
		re := p.compile()
		m := re.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		matched[p.of] = true
		h := hit{wording: p.of, at: m[0], end: m[1]}
		for i, name := range re.SubexpNames() {
			if name != "" && m[2*i] >= 0 {
				if h.args == nil {
					h.args = map[string]string{}
				}
				h.args[name] = strings.ToValidUTF8(text[m[2*i]:m[2*i+1]], "")
			}
		}
		hits = append(hits, h)
	}
	return hits
}

var unescape = strings.NewReplacer(
	`\n`, " ", `\t`, " ", "\u00a0", " ",
	"\u201c", `"`, "\u201d", `"`, "\u2018", "'", "\u2019", "'",
	"&quot;", `"`, "&#34;", `"`, "&#39;", "'", "&amp;", "&", "&lt;", "<", "&gt;", ">",
)

// clean undoes what quoting does to messages on their way into logs (a
// containerd error inside a kubelet error inside an event has \\\"), and what
// web pages and word processors do to quotation marks.
func clean(text string) string {
	if strings.IndexByte(text, '\\') >= 0 {
		text = unslash(text)
	}
	return unescape.Replace(text)
}

// unslash drops backslashes before a quotation mark, an apostrophe or another
// backslash that leads to one, and those that continue a line.
func unslash(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			i++
			continue
		}
		j := i
		for j < len(text) && text[j] == '\\' {
			j++
		}
		if j == len(text) || strings.IndexByte("\"'\n ", text[j]) >= 0 {
			i = j
			continue
		}
		b.WriteByte('\\')
		i = j
	}
	return b.String()
}

// In tells whether a text, cleaned as statements' texts are, says the wording.
func (w *Wording) In(text string) bool {
	for _, p := range w.phrases {
		if p.compile().MatchString(text) {
			return true
		}
	}
	return false
}
