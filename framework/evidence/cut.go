// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"fmt"
	"regexp"
)

// cutter keeps the head and the tail of what is written to it, in whole lines
// where it has any, and a line between them that says what was left out. Most
// of the room is the tail's: a log's end is nearer to the failure. Of what lies
// between, it keeps the lines that a rule looks for, and of those that say the
// same a few. It never fails, so that the stream's writer goes on.
type cutter struct {
	limit      int // bytes
	head, tail []byte
	dropped    int  // bytes between head and tail
	lines      int  // lines in them
	whole      bool // the tail begins with a line

	// telling tells whether a line between is to be kept; nil keeps none.
	telling func(line string) bool
	told    []byte
	toldOf  map[string]int // how many lines that say so were kept
	part    []byte         // what was dropped of a line that is not over
}

// alike is how many lines are kept that differ in numbers only.
const alike = 3

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
	c.keepTelling(c.tail[:n])
	c.tail = append(c.tail[:0], c.tail[n:]...)
}

// keepTelling keeps lines of what is left out, in at most a quarter of the limit.
func (c *cutter) keepTelling(out []byte) {
	if c.telling == nil {
		return
	}
	for len(out) > 0 {
		line, rest, ended := bytes.Cut(out, []byte("\n"))
		out = rest
		if room := c.limit/4 - len(c.part); room > 0 {
			c.part = append(c.part, line[:min(len(line), room)]...)
		}
		if !ended {
			return
		}
		c.tell(c.part)
		c.part = c.part[:0]
	}
}

func (c *cutter) tell(line []byte) {
	if len(c.told)+len(line) >= c.limit/4 || !c.telling(string(line)) {
		return
	}
	if c.toldOf == nil {
		c.toldOf = map[string]int{}
	}
	says := string(figures.ReplaceAll(line, []byte("0")))
	if c.toldOf[says]++; c.toldOf[says] <= alike {
		c.told = append(append(c.told, line...), '\n')
	}
}

// figures are what differs between lines that say the same: times, ids, counters.
var figures = regexp.MustCompile(`[0-9a-fA-F]*[0-9][0-9a-fA-F]*`)

// kept is what fits in limit bytes, and what to say of the rest; no reason
// means that it is all there. The marking lines come on top of the limit.
func (c *cutter) kept() (content []byte, reason string) {
	if c.dropped == 0 && len(c.head)+len(c.tail) <= c.limit {
		return append(c.head, c.tail...), ""
	}
	if over := len(c.head) + len(c.told) + len(c.tail) - c.limit; over > 0 {
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
	content = c.head
	if len(c.told) > 0 {
		reason += fmt.Sprintf(", but for %d lines that rules look for", bytes.Count(c.told, []byte("\n")))
	}
	content = fmt.Appendf(content, "\n[... %s ...]\n", reason)
	if len(c.told) > 0 {
		content = append(append(content, c.told...), "[... what follows is the tail ...]\n"...)
	}
	return append(content, c.tail...), reason
}
