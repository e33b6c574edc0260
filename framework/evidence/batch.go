// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
)

// ask runs the commands on the writer's node one after the other, each with its
// own deadline, in a single exec: an exec costs more than most of them.
func (w *Writer) ask(ctx context.Context, c *cluster.Cluster, commands []command) []answer {
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
	mark := rand.Text()
	script := batchScript(mark, w.timeouts.NodeCommand)
	for i, cmd := range commands {
		script += "run " + strconv.Itoa(i)
		for _, word := range cmd.argv() {
			script += " " + quote(word)
		}
		script += "\n"
	}
	out, start, err := w.exec(ctx, c, []string{"sh", "-c", script})
	switch {
	case errors.Is(err, exec.ErrNotFound):
		err = errors.New("no sh on this node (exit 127)")
	case err == nil && out.Truncated:
		err = errors.New("left out: the commands that ran with it printed too much")
	case err == nil:
		err = fmt.Errorf("the shell on the node ended before it (exit %d): %s", out.Code, firstLine(out.Stderr))
	}
	answers := make([]answer, len(commands))
	for i := range answers {
		answers[i] = answer{started: start, took: time.Since(start), err: err}
	}
	readBatch(out.Stdout, mark, answers)
	for i, a := range answers {
		if a.err == nil && a.code == 124 {
			answers[i].err = fmt.Errorf("no answer within %s: %w", w.timeouts.NodeCommand, context.DeadlineExceeded)
		}
		if out.Truncated && gap.Match(a.out) {
			// The line behind the gap may be the end of a secret.
			answers[i].out, answers[i].truncated = gap.ReplaceAll(a.out, []byte("$1")), true
		}
	}
	return answers
}

// gap is the mark cluster.NodeAccess leaves where it cut, and what is left of
// the line behind it.
var gap = regexp.MustCompile(`(\n\.\.\. \d+ bytes left out \.\.\.\n)[^\n]*`)

// exec waits for one of the node's slots, so that evidence does not bring down
// a node that is in trouble already.
func (w *Writer) exec(ctx context.Context, c *cluster.Cluster, argv []string) (cluster.Output, time.Time, error) {
	if w.slots != nil {
		select {
		case w.slots <- struct{}{}:
			defer func() { <-w.slots }()
		case <-ctx.Done():
			return cluster.Output{}, time.Now(), fmt.Errorf("wait for other commands on %s: %w", w.node, ctx.Err())
		}
	}
	start := time.Now()
	out, err := c.Access.Run(ctx, w.node, cluster.Command{Argv: argv})
	return out, start, err
}

// batchScript defines run, which marks the beginning and the end of what a
// command prints, and prints its standard error behind its standard output. The
// clock is /proc/uptime because reading it needs no process, and neither does
// finding that there is no such program.
func batchScript(mark string, limit time.Duration) string {
	return fmt.Sprintf(`t='timeout -k 1 %.3f'
$t true 2>/dev/null || t=
exec 3>&1
run() {
i=$1; shift
read -r s _ </proc/uptime
printf '\n%[2]s begin %%s %%s\n' "$i" "$s"
e= c=127
! command -v "$1" >/dev/null || { e=$($t "$@" 2>&1 >&3 3>&- </dev/null); c=$?; }
read -r s _ </proc/uptime
printf '\n%[2]s error %%s\n%%s\n%[2]s end %%s %%s %%s\n' "$i" "$e" "$i" "$c" "$s"
}
`, limit.Seconds(), mark)
}

// readBatch puts what lies between the marks in answers. A command that began
// and did not end keeps its error and what it printed so far.
func readBatch(out []byte, mark string, answers []answer) {
	var first, began float64
	for _, part := range bytes.Split(out, []byte("\n"+mark+" ")) {
		head, body, _ := bytes.Cut(part, []byte("\n"))
		var i, code int
		var clock float64
		switch {
		case scan(head, "begin %d %g", &i, &clock) && i < len(answers):
			if first == 0 {
				first = clock
			}
			began = clock
			answers[i].out, answers[i].started = body, answers[i].started.Add(seconds(clock-first))
		case scan(head, "error %d", &i) && i < len(answers):
			answers[i].complaint = body
		case scan(head, "end %d %d %g", &i, &code, &clock) && i < len(answers):
			answers[i].code, answers[i].took, answers[i].err = code, max(seconds(clock-began), clockTick), nil
		}
	}
}

func scan(text []byte, format string, values ...any) bool {
	n, err := fmt.Sscanf(string(text), format, values...)
	return err == nil && n == len(values)
}

// clockTick is how fine /proc/uptime is.
const clockTick = 10 * time.Millisecond

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

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
