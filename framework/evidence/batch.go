// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
)

// ask runs the commands on the writer's node one after the other in one exec, or
// as many as it takes where some do not end.
func (w *Writer) ask(ctx context.Context, c *cluster.Cluster, commands []command) []answer {
	return w.askFor(ctx, c, w.timeouts.NodeCommand, commands)
}

// askFor is ask with another time for an exec.
func (w *Writer) askFor(ctx context.Context, c *cluster.Cluster, each time.Duration, commands []command) []answer {
	if len(commands) == 0 {
		return nil
	}
	limit := time.Duration(len(commands)+1) * w.timeouts.NodeCommand
	if deadline, ok := ctx.Deadline(); ok {
		// What a busy node answered until then takes time to save, too.
		limit = min(limit, time.Until(deadline)*4/5)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answers := make([]answer, len(commands))
	if err := w.slot(ctx); err != nil {
		for i := range answers {
			answers[i] = answer{started: time.Now(), err: err}
		}
		return answers
	}
	defer w.leave()
	lines := make([]string, len(commands))
	for i, cmd := range commands {
		lines[i] = cmd.shell()
	}
	run := func(ctx context.Context, cmd cluster.Command) (cluster.Output, error) {
		return c.Access.Run(ctx, w.node, cmd)
	}
	start := time.Now()
	for i, a := range cluster.Batch(ctx, each, lines, run) {
		if a.Started.IsZero() {
			a.Started, a.Took = start, time.Since(start)
		}
		if a.Truncated {
			// The line behind the gap may be the end of a secret.
			a.Stdout = gap.ReplaceAll(a.Stdout, []byte("$1"))
		}
		answers[i] = answer{out: a.Stdout, complaint: a.Stderr, code: a.Code, truncated: a.Truncated, started: a.Started, took: a.Took, err: a.Err}
	}
	return answers
}

// gap is the mark cluster.NodeAccess leaves where it cut, and what is left of
// the line behind it.
var gap = regexp.MustCompile(`(\n\.\.\. \d+ bytes left out \.\.\.\n)[^\n]*`)

// slot waits for one of the node's slots, so that evidence does not bring down a
// node that is in trouble already; leave must follow.
func (w *Writer) slot(ctx context.Context) error {
	if w.slots == nil {
		return nil
	}
	select {
	case w.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for other commands on %s: %w", w.node, ctx.Err())
	}
}

func (w *Writer) leave() {
	if w.slots != nil {
		<-w.slots
	}
}

// quote makes word one word of a POSIX shell.
func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// word is text as one word of a shell line, in quotes where it needs them.
func word(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return quote(text)
}
