// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Answer is what became of one line of a batch.
type Answer struct {
	Stdout, Stderr []byte
	Code           int
	// Truncated tells that node access cut Stdout in the middle.
	Truncated bool
	Started   time.Time
	Took      time.Duration
	// Err says why there is no answer, or only the beginning of one; it is
	// context.DeadlineExceeded where the line's time was up.
	Err error
}

// Batch runs lines of POSIX shell on a node one after the other, each in a
// subshell, with as few processes as can be: an exec costs more than most lines,
// and on a node short of processor so does timeout(1) for each. limit is the time of
// an exec; a line that does not end within three quarters of it is killed at its
// end, and those after it get another exec, as does one that came too late, and once,
// with twice the time, an exec that began no line. run is NodeAccess.Run for the node.
// The lines see the locale C, no input, and nothing of each other.
func Batch(ctx context.Context, limit time.Duration, lines []string, run func(context.Context, Command) (Output, error)) []Answer {
	b := batch{limit: limit, lines: lines, run: run, answers: make([]Answer, len(lines)), again: -1}
	for first := 0; first < len(lines); {
		next, err := b.from(ctx, first)
		if err != nil {
			for i := range b.answers {
				if a := &b.answers[i]; a.Started.IsZero() || errors.Is(a.Err, errUnended) {
					a.Err = err
				}
			}
			break
		}
		first = next
	}
	return b.answers
}

type batch struct {
	limit   time.Duration
	lines   []string
	run     func(context.Context, Command) (Output, error)
	answers []Answer
	// again is the line that was last given another exec.
	again int
	// patience is what an exec has beyond limit: some, once one ended before its first
	// line began, as on a node that is short of processor and has to start a shell.
	patience time.Duration
}

// from runs the lines from first on in one exec and returns the line to go on with;
// the error is for all lines without an answer.
func (b *batch) from(ctx context.Context, first int) (next int, err error) {
	bounded, cancel := context.WithTimeout(ctx, b.limit+b.patience)
	defer cancel()
	mark, start := rand.Text(), time.Now()
	out, err := b.run(bounded, Command{Argv: []string{"sh", "-c", batchScript(mark, b.lines, first)}})
	late := bounded.Err() != nil && ctx.Err() == nil
	next = readBatch(out, mark, start, first, b.answers)
	switch {
	case next == len(b.lines):
		return next, nil
	case late && errors.Is(b.answers[next].Err, errUnended):
		a := &b.answers[next]
		if a.Took = time.Since(a.Started); a.Took < b.limit*3/4 && b.again != next {
			b.again, *a = next, Answer{}
			return next, nil
		}
		a.Err = fmt.Errorf("no answer within %s: %w", b.limit, context.DeadlineExceeded)
		return next + 1, nil
	case late && b.patience == 0:
		b.patience = b.limit
		return next, nil
	case errors.Is(err, exec.ErrNotFound):
		return 0, errors.New("no sh on this node (exit 127)")
	case err != nil:
		return 0, err
	case out.Truncated:
		return 0, errLeftOut
	}
	said, _, _ := strings.Cut(strings.TrimSpace(string(out.Stderr)), "\n")
	return 0, fmt.Errorf("the shell on the node ended before it (exit %d): %s", out.Code, said)
}

var (
	errUnended = errors.New("the exec ended before it")
	errLeftOut = errors.New("left out: the commands that ran with it printed too much")
)

// batchScript marks the beginning and the end of what each line prints, and prints
// its standard error behind its standard output. The clock is /proc/uptime because
// reading it needs no process.
func batchScript(mark string, lines []string, first int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `export LC_ALL=C
exec 3>&1
run() {
read -r s _ </proc/uptime
printf '\n%[1]s begin %%s %%s\n' "$1" "$s"
e=$(eval "$2" 2>&1 >&3 3>&- </dev/null)
c=$?
read -r s _ </proc/uptime
printf '\n%[1]s error %%s\n%%s\n%[1]s end %%s %%s %%s\n' "$1" "$e" "$1" "$c" "$s"
}
`, mark)
	for i, line := range lines[first:] {
		b.WriteString("run " + strconv.Itoa(first+i) + " " + quote(line) + "\n")
	}
	return b.String()
}

// readBatch puts what lies between the marks in answers and returns the line that
// is next: one that began and did not end keeps what it printed so far and has an
// error.
func readBatch(out Output, mark string, start time.Time, first int, answers []Answer) int {
	var origin, began float64 // seconds since the node's start
	next := first
	for _, part := range bytes.Split(out.Stdout, []byte("\n"+mark+" ")) {
		head, body, _ := bytes.Cut(part, []byte("\n"))
		var i, code int
		var clock float64
		switch {
		case scan(head, "begin %d %g", &i, &clock) && i < len(answers):
			if origin == 0 {
				origin = clock
			}
			began, next = clock, i
			answers[i] = Answer{Stdout: body, Started: start.Add(seconds(clock - origin)), Err: errUnended}
		case scan(head, "error %d", &i) && i < len(answers):
			answers[i].Stderr = body
		case scan(head, "end %d %d %g", &i, &code, &clock) && i < len(answers):
			next = i + 1
			answers[i].Code, answers[i].Took, answers[i].Err = code, max(seconds(clock-began), clockTick), nil
		}
	}
	for i := first; out.Truncated && i < next; i++ {
		if a := &answers[i]; a.Started.IsZero() || a.Err != nil {
			a.Err = errLeftOut
		} else {
			a.Truncated = gap.Match(a.Stdout)
		}
	}
	return next
}

func scan(text []byte, format string, values ...any) bool {
	n, err := fmt.Sscanf(string(text), format, values...)
	return err == nil && n == len(values)
}

// clockTick is how fine /proc/uptime is.
const clockTick = 10 * time.Millisecond

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
