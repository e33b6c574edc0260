// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"regexp"
)

// clip is a writer that keeps the first and the last half of limit bytes and
// counts what it leaves out between them. It never fails, so that the writer of
// the stream is not cut off.
type clip struct {
	limit int64
	head  []byte
	// tail is a ring once it is full; next is where its oldest byte is.
	tail    []byte
	next    int
	dropped int64
}

func (c *clip) Write(p []byte) (int, error) {
	n := len(p)
	half := int(c.limit / 2)
	if room := half - len(c.head); room > 0 {
		room = min(room, len(p))
		c.head = append(c.head, p[:room]...)
		p = p[room:]
	}
	size := int(c.limit) - half
	if over := len(p) - size; over > 0 {
		c.dropped += int64(over)
		p = p[over:]
	}
	if room := size - len(c.tail); room > 0 {
		room = min(room, len(p))
		c.tail = append(c.tail, p[:room]...)
		p = p[room:]
	}
	for len(p) > 0 {
		copied := copy(c.tail[c.next:], p)
		c.next = (c.next + copied) % size
		c.dropped += int64(copied)
		p = p[copied:]
	}
	return n, nil
}

func (c *clip) truncated() bool { return c.dropped > 0 }

// gap is the line in the place of what was left out.
var gap = regexp.MustCompile(`\n\.\.\. \d+ bytes left out \.\.\.\n`)

// bytes is what was kept, with a line in the gap that says what is missing.
func (c *clip) bytes() []byte {
	out := append([]byte(nil), c.head...)
	if c.truncated() {
		out = fmt.Appendf(out, "\n... %d bytes left out ...\n", c.dropped)
	}
	out = append(out, c.tail[c.next:]...)
	return append(out, c.tail[:c.next]...)
}
