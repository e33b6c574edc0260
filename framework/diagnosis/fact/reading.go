// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp"
	"strings"
	"time"
)

// reading is the state of reading one file.
type reading struct {
	gathering *gathering
	from      origin
	search    *search
	// join tells that lines may be wrapped.
	join   bool
	record []string
	// first is the number of the record's first line.
	first int
	// table and describe say where rows belong; state reads what is no prose.
	table    *tableParser
	describe *describeParser
	document *documentParser
	state    []lineParser
	// at is where the record's first line belongs.
	at      rowPlace
	repeats *repeats
	// recent are the last lines, which tell until when a log goes.
	recent     [recentLines]string
	recentNext int
	// foreign tells that what follows a heading is a pod's network state.
	foreign bool
}

// lineParser is a parser that is shown every line of a file.
type lineParser interface {
	line(q Quote)
}

// Bounds of a record of several lines.
const (
	mostRecordLines = 12
	recentLines     = 16
)

func newReading(g *gathering, from origin, small bool) *reading {
	f := g.facts
	r := &reading{gathering: g, from: from, search: theScanner().search(), join: small, repeats: newRepeats(),
		table:    &tableParser{facts: f},
		describe: &describeParser{facts: f, podAt: -1, nodeAt: -1},
		document: &documentParser{facts: f, file: from.file},
	}
	if !ofPods.MatchString(from.file) {
		r.state = []lineParser{newLinkParser(f), &routeParser{f}, &sysctlParser{f}, &iptablesParser{facts: f}, &nftParser{facts: f}, &dirParser{facts: f, file: from.file}, &unitParser{facts: f}}
	}
	return r
}

// ofPods matches files about pods' network namespaces, which are not the node's.
var ofPods = regexp.MustCompile(`netns|pod-(?:addr|route|link)`)

// line takes a line in.
func (r *reading) line(number int, text string) {
	var at rowPlace
	if !logLine(text) || r.document.open() || len(r.table.columns) > 0 {
		at = r.structured(Quote{File: r.from.file, Line: number, Text: text})
	}
	r.recent[r.recentNext%recentLines] = text
	r.recentNext++
	if r.join && len(r.record) > 0 && len(r.record) < mostRecordLines && continues(r.record[len(r.record)-1], text) {
		r.record = append(r.record, text)
		return
	}
	r.flush()
	r.record, r.first, r.at = append(r.record[:0], text), number, at
}

// structured shows a line to the parsers of what is no prose.
func (r *reading) structured(q Quote) rowPlace {
	at := r.table.line(q)
	if described := r.describe.line(q); at == (rowPlace{}) {
		at = described
	}
	r.document.line(q)
	if strings.HasPrefix(q.Text, "### ") || strings.HasPrefix(q.Text, "$ ") {
		r.foreign = strings.Contains(q.Text, "netns exec") || strings.Contains(q.Text, "nsenter")
	}
	if !r.foreign {
		for _, p := range r.state {
			p.line(q)
		}
	}
	return at
}

// logLine tells, without regular expressions as it decides the speed on
// gigabytes, whether a line is a log's: journal, klog, logrus, a date or JSON.
func logLine(text string) bool {
	switch {
	case len(text) < 16:
		return false
	case text[3] == ' ' && text[6] == ' ' && text[9] == ':' && text[12] == ':':
		return true
	case (text[4] == '-' && text[7] == '-' || text[4] == '/' && text[7] == '/') && text[0] >= '0' && text[0] <= '9':
		return true
	case strings.IndexByte("IWEF", text[0]) >= 0 && text[5] == ' ' && text[8] == ':' && text[1] >= '0' && text[1] <= '9':
		return true
	}
	return strings.HasPrefix(text, `time="`) || strings.HasPrefix(text, `{"level`) || strings.HasPrefix(text, `{"ts`) ||
		strings.HasPrefix(text, "[pod/")
}

// end is called after the last line.
func (r *reading) end() {
	r.flush()
	for _, s := range r.repeats.rest() {
		r.record, r.first, r.at = append(r.record[:0], s.last), s.number, s.at
		r.look()
	}
	r.document.end()
	for _, line := range r.recent {
		r.seen(stamp(line))
	}
}

// seen moves the evidence's time on.
func (r *reading) seen(t time.Time) {
	f := r.gathering.facts
	if t.Year() > 1 && t.After(f.Now) {
		f.Now = t
	}
}

// flush looks for wordings in the record that is complete.
func (r *reading) flush() {
	if len(r.record) == 0 {
		return
	}
	if r.join || !logLine(r.record[0]) {
		r.look()
		return
	}
	shape, skip := r.repeats.skip(r.first, r.record[0], r.at)
	if skip {
		return
	}
	if said := r.look(); said && shape != nil {
		shape.said = true
	}
}

// look keeps what the record says and tells whether it says anything.
func (r *reading) look() bool {
	text := r.record[0]
	if len(r.record) > 1 {
		text = strings.Join(r.record, "\n")
	}
	hits, cleaned := r.search.find(text)
	if len(hits) == 0 {
		return false
	}
	head := r.record[0]
	where := placeOf(head)
	said := stamp(head)
	r.seen(said)
	for _, h := range hits {
		line := strings.Count(cleaned[:h.at], "\n")
		begin := strings.LastIndexByte(cleaned[:h.at], '\n') + 1
		s := Statement{
			Wording: h.wording, Args: h.args, Text: around(cleaned, h.at),
			Quote: Quote{File: r.from.file, Line: r.first + line, Text: excerpt(r.record[line], h.at-begin)},
			Time:  said, Sort: where.sort, Pod: first(where.pod, r.from.pod),
			Node: where.node, ago: r.at.ago, hasAgo: r.at.hasAgo,
		}
		s.Pod = first(r.at.pod, s.Pod)
		s.Node = first(s.Node, r.at.node)
		if s.Sort == "" {
			s.Sort = r.from.sort
		}
		r.gathering.keep(s)
	}
	return true
}

// around bounds the text a statement keeps.
func around(text string, at int) string {
	const reach = 3000
	if len(text) <= 2*reach {
		return text
	}
	return strings.ToValidUTF8(text[max(0, at-reach):min(len(text), at+reach)], "")
}
