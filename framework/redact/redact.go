// SPDX-License-Identifier: Apache-2.0

// Package redact replaces secrets in text: logs, configurations, manifests, and
// what commands print. It knows them by what they look like and by the names
// they are given.
package redact

import (
	"bytes"
	"io"
	"regexp"
	"slices"
)

// Text returns the text with secrets replaced, and how many there were:
// tokens, private keys, passwords, credentials in URLs, headers, flags and
// environments, Secret data. Addresses, names, ports and certificates stay.
func Text(text []byte) ([]byte, int) {
	var out bytes.Buffer
	r := NewWriter(&out)
	_, _ = r.Write(text) // a buffer does not fail
	_ = r.Close()
	return out.Bytes(), r.Count()
}

const (
	// longLine is how much of a line is held back to see its secrets whole. Of
	// a longer line overlap bytes stay for the next piece, and so does what
	// stands before a secret that reaches into it: lookBack bytes.
	longLine = 1 << 20
	overlap  = 16 << 10
	lookBack = 512
)

// Writer replaces secrets in what is written to it, whatever the chunks, and
// passes it on. It is not safe for concurrent use.
type Writer struct {
	out   io.Writer
	count int // secrets replaced so far
	held  []byte
	lines lineState
	// inside tells that a secret longer than a piece goes on.
	inside bool
}

func (r *Writer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		whole := n > 0
		if room := longLine - len(r.held) + 1; !whole || n > room {
			n, whole = min(len(rest), room), false
		}
		r.held = append(r.held, rest[:n]...)
		rest = rest[n:]
		if whole || len(r.held) > longLine {
			if err := r.flush(whole); err != nil {
				return len(p) - len(rest), err
			}
		}
	}
	return len(p), nil
}

// NewWriter returns a Writer that passes on to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Count is how many secrets were replaced so far.
func (r *Writer) Count() int { return r.count }

// Close writes what was held back; it does not close out.
func (r *Writer) Close() error { return r.flush(true) }

// flush redacts and passes on the line that is held, or, when more of it is to
// come, as much as no secret reaches out of.
func (r *Writer) flush(whole bool) error {
	if r.inside {
		end := bytes.IndexAny(r.held, " \t\n\"'\\-")
		if end < 0 {
			r.held = r.held[:0]
			return nil
		}
		r.held, r.inside = append(r.held[:0], r.held[end:]...), false
	}
	if !whole {
		return r.flushPiece()
	}
	line, ended := bytes.CutSuffix(r.held, []byte("\n"))
	if len(r.held) == 0 {
		return nil
	}
	redacted, n := r.lines.redact(line)
	r.count += n
	if ended {
		redacted = append(redacted[:len(redacted):len(redacted)], '\n')
	}
	r.held = r.held[:0]
	_, err := r.out.Write(redacted)
	return err
}

func (r *Writer) flushPiece() error {
	spans := secrets(r.held)
	cut := max(len(r.held)-overlap, 0)
	n := len(spans)
	for ; n > 0 && spans[n-1].to > cut; n-- {
		cut = min(cut, spans[n-1].from-lookBack)
	}
	if cut <= 0 {
		// A secret of a piece's size: what follows belongs to it.
		cut, n, r.inside = len(r.held), len(spans), true
	}
	r.count += n
	_, err := r.out.Write(replace(r.held[:cut], spans[:n]))
	r.held = append(r.held[:0], r.held[cut:]...)
	return err
}

// lineState is what earlier lines say of the next one.
type lineState struct {
	inKey   bool // between BEGIN and END of a private key
	named   bool // the line before was an environment variable's secret name
	inBlock bool // in a YAML value of several lines that is secret
	inData  bool // in what may be a Secret's data
	indent  int  // of the key that began the block or the data
	child   int  // of the data's own keys; 0 until the first was seen
}

var (
	keyBegin   = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----`)
	keyBody    = regexp.MustCompile(`(?:^|\s)(?:[A-Za-z0-9+/]{16,}=*|[A-Za-z0-9+/]+=+|(?:Proc-Type|DEK-Info): .*)\s*$`)
	envName    = regexp.MustCompile(`(?i)^\s*(?:- )?\\*"?name\\*"?:\s*\\*["']?[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|credentials?|api_?key|access_?key|private_?key|psk)\d*\\*["']?,?\s*$`)
	envValue   = regexp.MustCompile(`^\s*(?:- )?\\*"?value\\*"?:\s*(.+?)\s*,?$`)
	blockBegin = regexp.MustCompile(`(?i)^\s*(?:- )?["']?(?:[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|credentials?|private[-_]?key|key-data|psk)["']?:\s*[|>][-+\d]*|stringData["']?:)\s*$`)
	dataBegin  = regexp.MustCompile(`^\s*["']?data["']?:\s*\{?\s*$`)
	dataValue  = regexp.MustCompile(`^\s*["']?[\w.-]+["']?:\s*["']?([A-Za-z0-9+/]{4,}={0,2})["']?,?\s*$`)
	secretKind = regexp.MustCompile(`\\*"kind\\*"\s*:\s*\\*"Secret\\*"`)
	jsonData   = regexp.MustCompile(`\\*"(?:data|stringData)\\*"\s*:\s*\{([^{}]+)\}`)
)

// redact redacts one line without its end.
func (s *lineState) redact(line []byte) ([]byte, int) {
	if s.inKey {
		if end := bytes.Index(line, []byte("-----END ")); end >= 0 {
			s.inKey = false
			return nil, 0
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return line, 0
		}
		if keyBody.Match(line) {
			return nil, 0
		}
		s.inKey = false // the key was cut; this line is something else
	}
	spans := append(secrets(line), s.fromContext(line)...)
	if at := keyBegin.FindIndex(line); at != nil && !bytes.Contains(line, []byte("-----END ")) {
		s.inKey = true
		spans = append(spans, span{at[1], max(at[1], len(line))})
	}
	spans = slices.DeleteFunc(merge(spans), func(s span) bool { return string(line[s.from:s.to]) == placeholder })
	return replace(line, spans), len(spans)
}

// fromContext are the secrets that only the lines before, or the whole line,
// give away.
func (s *lineState) fromContext(line []byte) (spans []span) {
	if s.named {
		s.named = false
		if m := envValue.FindSubmatchIndex(line); m != nil && !harmless(line[m[2]:m[3]]) {
			spans = append(spans, span{m[2], m[3]})
		}
	}
	s.named = bytes.Contains(line, []byte("name")) && envName.Match(line)
	indent := len(line) - len(bytes.TrimLeft(line, " \t"))
	if (s.inBlock || s.inData) && len(bytes.TrimSpace(line)) > 0 && indent <= s.indent {
		s.inBlock, s.inData = false, false
	}
	switch {
	case s.inBlock:
		if indent < len(line) {
			spans = append(spans, span{indent, len(line)})
		}
	case s.inData:
		// Only a Secret's data is base64 throughout; a ConfigMap's words are
		// not mixed in case.
		if s.child == 0 {
			s.child = indent
		}
		if indent != s.child {
			break
		}
		if m := dataValue.FindSubmatchIndex(line); m != nil && (m[3]-m[2])%4 == 0 && mixed(line[m[2]:m[3]]) {
			spans = append(spans, span{m[2], m[3]})
		}
	case opens(line) && blockBegin.Match(line):
		s.inBlock, s.indent = true, indent
	case opens(line) && dataBegin.Match(line):
		s.inData, s.indent, s.child = true, indent, 0
	}
	if bytes.Contains(line, []byte("Secret")) && secretKind.Match(line) {
		for _, m := range jsonData.FindAllSubmatchIndex(line, -1) {
			spans = append(spans, span{m[2], m[3]})
		}
	}
	return spans
}

// opens tells whether the line can begin a YAML value of several lines.
func opens(line []byte) bool {
	trimmed := bytes.TrimRight(line, " \t")
	return len(trimmed) > 0 && bytes.IndexByte([]byte(":{|>+-0123456789"), trimmed[len(trimmed)-1]) >= 0
}

// mixed tells base64 from a word: padding, or capitals and digits among the
// letters.
func mixed(value []byte) bool {
	if bytes.HasSuffix(value, []byte("=")) {
		return true
	}
	var capitals, digits, small int
	for _, b := range value {
		switch {
		case upper(b):
			capitals++
		case b >= '0' && b <= '9':
			digits++
		default:
			small++
		}
	}
	return len(value) >= 8 && capitals > 0 && small > 0 && capitals+digits > 1
}
