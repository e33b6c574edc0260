// SPDX-License-Identifier: Apache-2.0

package evidence

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

	"github.com/cniproof/cniproof/framework/cluster"
)

// askTogether runs commands[i] for each i of which, one after the other in one
// shell on the node, and puts what they answered in answers.
func (w *Writer) askTogether(ctx context.Context, c *cluster.Cluster, commands []command, which []int, answers []answer) {
	mark := rand.Text()
	script := batchScript(mark, w.timeouts.NodeCommand)
	for _, i := range which {
		script += "run " + strconv.Itoa(i)
		for _, word := range commands[i].argv() {
			script += " " + quote(word)
		}
		script += "\n"
	}
	start := time.Now()
	out, err := c.Access.Run(ctx, w.node, cluster.Command{Argv: []string{"sh", "-c", script}})
	switch {
	case errors.Is(err, exec.ErrNotFound):
		err = errors.New("no sh on this node (exit 127)")
	case err == nil && out.Truncated:
		err = errors.New("the output of the commands that ran together was too large")
	case err == nil:
		err = fmt.Errorf("the shell on the node ended before it (exit %d): %s", out.Code, firstLine(out.Stderr))
	}
	for _, i := range which {
		answers[i] = answer{started: start, took: time.Since(start), err: err}
	}
	readBatch(out.Stdout, mark, start, answers)
	for _, i := range which {
		if answers[i].err == nil && answers[i].code == 124 {
			answers[i].err = fmt.Errorf("no answer within %s: %w", w.timeouts.NodeCommand, context.DeadlineExceeded)
		}
	}
}

// batchScript defines run, which marks the beginning and the end of what a
// command prints. The clock is /proc/uptime because reading it needs no process.
func batchScript(mark string, limit time.Duration) string {
	return fmt.Sprintf(`t=
command -v timeout >/dev/null 2>&1 && t='timeout -k 1 %.3f'
run() {
i=$1; shift
read -r s _ </proc/uptime
printf '\n%[2]s begin %%s %%s\n' "$i" "$s"
$t "$@" </dev/null 2>&1
c=$?
read -r e _ </proc/uptime
printf '\n%[2]s end %%s %%s %%s\n' "$i" "$c" "$e"
}
`, limit.Seconds(), mark)
}

// readBatch puts what lies between the marks in answers. A command that began
// and did not end keeps its error and what it printed so far.
func readBatch(out []byte, mark string, start time.Time, answers []answer) {
	var first, began float64
	for _, part := range bytes.Split(out, []byte("\n"+mark+" ")) {
		head, body, _ := bytes.Cut(part, []byte("\n"))
		var i, code int
		var clock float64
		if _, err := fmt.Sscanf(string(head), "begin %d %g", &i, &clock); err == nil && i < len(answers) {
			if first == 0 {
				first = clock
			}
			began = clock
			answers[i].out, answers[i].started = body, start.Add(seconds(clock-first))
		} else if _, err := fmt.Sscanf(string(head), "end %d %d %g", &i, &code, &clock); err == nil && i < len(answers) {
			answers[i].code, answers[i].took, answers[i].err = code, seconds(clock-began), nil
		}
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// quote makes word one word of a POSIX shell.
func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
