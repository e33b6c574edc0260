// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"fmt"
)

// cutter keeps the head and the tail of what is written to it, in whole lines
// where it has any, and a line between them that says what was left out. Most
// of the room is the tail's: a log's end is nearer to the failure. It never
// fails, so that the stream's writer goes on.
type cutter struct {
	limit      int // bytes
	head, tail []byte
	dropped    int  // bytes between head and tail
	lines      int  // lines in them
	whole      bool // the tail begins with a line
}

func (c *cutter) Write(p []byte) (int, error) {
	n := len(p)
	if room := c.limit/4 - len(c.head); room > 0 && len(c.tail) == 0 {
		room = min(room, len(p))
		c.head, p = append(c.head, p[:room]...), p[room:]
	}
	c.tail = append(c.tail, p...)
	if len(c.tail) > 2*c.limit {
		c.drop(len(c.tail) - (c.limit - c.limit/4))
	}
	return n, nil
}

// drop leaves out the first n bytes of the tail.
func (c *cutter) drop(n int) {
	c.dropped += n
	c.whole = c.tail[n-1] == '\n'
	c.lines += bytes.Count(c.tail[:n], []byte("\n"))
	c.tail = append(c.tail[:0], c.tail[n:]...)
}

// kept is what fits in limit bytes, and what to say of the rest; no reason
// means that it is all there. The marking line comes on top of the limit.
func (c *cutter) kept() (content []byte, reason string) {
	if c.dropped == 0 && len(c.head)+len(c.tail) <= c.limit {
		return append(c.head, c.tail...), ""
	}
	if over := len(c.head) + len(c.tail) - c.limit; over > 0 {
		c.drop(min(over, len(c.tail)))
	}
	if i := bytes.LastIndexByte(c.head, '\n') + 1; i > len(c.head)/2 {
		c.dropped += len(c.head) - i
		c.head = c.head[:i]
	}
	if i := bytes.IndexByte(c.tail, '\n') + 1; !c.whole && i > 0 && i < len(c.tail)/2 {
		c.drop(i)
	}
	reason = fmt.Sprintf("%d bytes (%d lines) left out between head and tail", c.dropped, c.lines)
	content = fmt.Appendf(c.head, "\n[... %s ...]\n", reason)
	return append(content, c.tail...), reason
}
