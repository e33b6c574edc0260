// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"fmt"
	"regexp"
	"regexp/syntax"
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
	anchors [][]string
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
		expression := `(?i)` + spaces(source)
		tree, err := syntax.Parse(expression, syntax.Perl)
		if err != nil {
			panic(fmt.Sprintf("wording %q: %v", means, err))
		}
		found := anchors(tree)
		if len(found) == 0 {
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

// spaces turns the spaces of a phrase into expressions for any run of white
// space.
func spaces(phrase string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(phrase); i++ {
		c := phrase[i]
		switch {
		case c == '\\' && i+1 < len(phrase):
			b.WriteByte(c)
			i++
			b.WriteByte(phrase[i])
		case c == ' ' && class:
			b.WriteString(`\s`)
		case c == ' ':
			b.WriteString(`\s`)
			next := byte(0)
			if i+1 < len(phrase) {
				next = phrase[i+1]
			}
			switch next {
			case '+', '*', '{':
			case '?':
				b.WriteByte('*')
				i++
			default:
				b.WriteByte('+')
			}
		default:
			class = c == '[' || class && c != ']'
			b.WriteByte(c)
		}
	}
	return b.String()
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
