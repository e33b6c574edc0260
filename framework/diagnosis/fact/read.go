// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits keep memory bounded on any input.
const (
	// longestLine is how much of a line is read; the rest is dropped.
	longestLine = 1 << 20
	// smallText is the size up to which an input counts as something a person
	// pasted: lines that a terminal or a web page wrapped are joined again.
	smallText = 64 << 10
)

// ErrBinary says that an input is not text.
var ErrBinary = errors.New("not text: it has NUL bytes")

// input is text being read line by line.
type input struct {
	reader *bufio.Reader
	// small tells that the whole input is at most smallText long.
	small bool
	// empty tells that it has no bytes.
	empty bool
}

// open recognises gzip and UTF-16 (with a byte order mark, as PowerShell
// writes) by their first bytes. It returns ErrBinary for what is not text.
func open(r io.Reader) (*input, error) {
	buffered := bufio.NewReaderSize(r, smallText+1)
	head, err := peek(buffered)
	if err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
		buffered = bufio.NewReaderSize(unpacked, smallText+1)
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		buffered = bufio.NewReaderSize(&utf16Reader{from: buffered, low: 0, high: 1}, smallText+1)
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		buffered = bufio.NewReaderSize(&utf16Reader{from: buffered, low: 1, high: 0}, smallText+1)
	}
	if head, err = peek(buffered); err != nil {
		return nil, err
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return nil, ErrBinary
	}
	return &input{reader: buffered, small: len(head) <= smallText, empty: len(head) == 0}, nil
}

func peek(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(smallText + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return head, nil
}

// lines calls yield with each line, without its end and as valid UTF-8, and its
// number from 1. It returns the first error of reading.
func (in *input) lines(yield func(number int, text string)) error {
	var line []byte
	number := 0
	for {
		chunk, err := in.reader.ReadSlice('\n')
		if room := longestLine - len(line); room > 0 {
			line = append(line, chunk[:min(len(chunk), room)]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if len(line) > 0 {
			number++
			yield(number, printable(line))
		}
		line = line[:0]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read line %d: %w", number+1, err)
		}
	}
}

func printable(line []byte) string {
	line = bytes.TrimRight(line, "\r\n")
	text := string(line)
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if strings.Contains(text, "\x1b[") {
		text = uncolour(text)
	}
	return text
}

// uncolour removes the escape sequences terminals colour text with.
func uncolour(text string) string {
	var b strings.Builder
	for {
		at := strings.Index(text, "\x1b[")
		if at < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:at])
		text = strings.TrimLeft(text[at+2:], "0123456789;")
		if text != "" {
			text = text[1:]
		}
	}
}

// utf16Reader turns UTF-16 into UTF-8. Characters beyond the basic plane, which
// evidence does not have, become replacement characters.
type utf16Reader struct {
	from      io.Reader
	low, high int
	ready     []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.ready) == 0 {
		var unit [2]byte
		if _, err := io.ReadFull(u.from, unit[:]); err != nil {
			return 0, io.EOF
		}
		r := rune(unit[u.low]) | rune(unit[u.high])<<8
		if r != 0xfeff {
			u.ready = utf8.AppendRune(u.ready[:0], r)
		}
	}
	n := copy(p, u.ready)
	u.ready = u.ready[n:]
	return n, nil
}
