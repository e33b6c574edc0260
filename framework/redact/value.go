// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"regexp"
)

// logPrefix is what journald, kubectl --timestamps and the kubelet's pod logs
// put before a line.
var logPrefix = regexp.MustCompile(`^(?:\S*\d\d:\d\d:\d\d\S*|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\S*)(?: \S+ \S+\[\d+\]:)?(?: std(?:out|err) [FP])?$`)

// namedSecret is an object's reference, as logs write secret="namespace/name".
var namedSecret = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.:-]*$`)

// valueAfter is the span of the value that belongs to the key whose last word
// is line[from:to], in any of the forms configuration, environments, command
// lines, JSON (also inside a JSON string), YAML, TOML and logs have. Not ok
// when it is no key, has no value on this line, or the value is harmless.
func valueAfter(line []byte, from, to int) (value span, ok bool) {
	p := to
	for p < len(line) && line[p] >= '0' && line[p] <= '9' {
		p++ // PASSWORD2
	}
	if p < len(line) && wordByte(line[p]) {
		return span{}, false
	}
	keyFrom, place := keyStart(line, from)
	p, quoted := skipQuote(line, p)
	space := p
	p = skipSpace(line, p)
	if p >= len(line) {
		return span{}, false
	}
	key := bytes.ToLower(line[keyFrom:to])
	switch sep := line[p]; {
	case sep == '=':
		value = valueAt(line, skipSpace(line, p+1))
		if string(key) == "secret" && namedSecret.Match(line[value.from:value.to]) {
			return span{}, false
		}
	case sep == ':':
		next := skipSpace(line, p+1)
		if next < len(line) && keyFrom > 0 && !quoted && line[next] == line[keyFrom-1] {
			return span{}, false // the quote ends: sed 's/token:'
		}
		if place != inLine && next > p+1 && !quoted {
			value = restAt(line, next, place)
			break
		}
		value = valueAt(line, next)
		field := next == p+1 && upper(line[keyFrom]) // {Password:abc}, as Go prints structs
		if value.from == next && !field && !random(line[next:value.to]) && !(quoted && number(line[next:value.to])) {
			return span{}, false // prose: "failed to fetch token: unauthorized"
		}
	case quoted && sep == ',': // {"name":"DB_PASSWORD","value":"..."}
		m := valueKey.FindIndex(line[p:])
		if m == nil {
			return span{}, false
		}
		value = valueAt(line, p+m[1])
	case p > space && flag(line, keyFrom): // --token abc
		value = valueAt(line, p)
		if line[value.from] == '-' {
			return span{}, false
		}
	default:
		return span{}, false
	}
	text := line[value.from:value.to]
	if string(key) == "auth" && !random(text) || bytes.HasSuffix(key, []byte("auth")) && len(key) > len("auth") {
		return span{}, false // registry credentials are "auth", modes are "client-auth"
	}
	return value, len(text) > 0 && !harmless(text)
}

var valueKey = regexp.MustCompile(`^,\s*\\*"value\\*"\s*:\s*`)

// place is where on its line a key stands.
type place int

const (
	inLine        place = iota
	startsLine          // nothing but indentation or a log's prefix before it
	startsEscaped       // the same on a line inside a JSON string
)

// keyStart walks back to where the key begins.
func keyStart(line []byte, at int) (int, place) {
	for at > 0 && (wordByte(line[at-1]) || line[at-1] == '-' || line[at-1] == '.') {
		at--
	}
	if at > 0 && line[at-1] == '\\' && line[at] == 'n' {
		return at + 1, startsEscaped
	}
	before := bytes.TrimRight(line[:at], " \t-\"'\\")
	switch indented := bytes.TrimRight(line[:at], " -"); {
	case len(before) == 0, logPrefix.Match(before):
		return at, startsLine
	case len(indented) < at && bytes.HasSuffix(indented, []byte(`\n`)):
		return at, startsEscaped
	}
	return at, inLine
}

// valueAt is the value that begins at p: what is in quotes, escaped or not,
// else what comes before a space or a quote.
func valueAt(line []byte, p int) span {
	q := p
	for q < len(line) && line[q] == '\\' {
		q++
	}
	if q >= len(line) || line[q] != '"' && line[q] != '\'' {
		n := bytes.IndexAny(line[p:], " \t\"'\\")
		if n < 0 {
			n = len(line) - p
		}
		return span{p, p + len(bytes.TrimRight(line[p:p+n], ",;)}]"))}
	}
	quote, depth := line[q], q-p
	from := q + 1
	for i := from; i < len(line); i++ {
		switch {
		case line[i] == '\\' && depth == 0:
			i++ // an escaped character of the value
		case line[i] == quote:
			end := i
			for end > from && line[end-1] == '\\' && i-end < depth {
				end--
			}
			return span{from, end}
		}
	}
	return span{from, len(line)}
}

// restAt is the value of a YAML key: all that is left of the line, because it
// may hold spaces and quotes.
func restAt(line []byte, p int, at place) span {
	rest := line[p:]
	if at == startsEscaped {
		quoted := bytes.TrimLeft(rest, `\`)
		if len(quoted) > 0 && (quoted[0] == '"' || quoted[0] == '\'') {
			return valueAt(line, p)
		}
		if n := bytes.IndexAny(rest, `\"`); n >= 0 {
			rest = rest[:n]
		}
	}
	return span{p, p + len(bytes.TrimRight(rest, " \t\r"))}
}

func skipQuote(line []byte, p int) (after int, quoted bool) {
	q := p
	for q < len(line) && line[q] == '\\' {
		q++
	}
	if q < len(line) && (line[q] == '"' || line[q] == '\'') {
		return q + 1, true
	}
	return p, false
}

func skipSpace(line []byte, p int) int {
	for p < len(line) && (line[p] == ' ' || line[p] == '\t') {
		p++
	}
	return p
}

func flag(line []byte, keyFrom int) bool {
	return bytes.HasPrefix(line[keyFrom:], []byte("--"))
}

func number(value []byte) bool {
	return len(value) >= 4 && len(bytes.Trim(value, "0123456789")) == 0
}

func upper(b byte) bool { return b >= 'A' && b <= 'Z' }

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
