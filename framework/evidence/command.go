// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
)

// command is one read-only command for a node. Its line is what is documented,
// what a person would type and what runs; it may hold <since> (seconds since
// the epoch), <node> and what the collector fills in.
type command struct {
	line string
	// file is where the answer goes, below nodes/<node>/.
	file string
	// answers tells that a non-zero exit is an answer too: "No such file" of a
	// directory that must be there is the evidence.
	answers bool
	// alone gives it an exec of its own, because it may print more than fits in
	// one with others.
	alone bool
}

// steps document commands.
func steps(commands []command) []Step {
	documented := make([]Step, len(commands))
	for i, c := range commands {
		documented[i] = Step{Command: c.line, Yields: "nodes/<node>/" + c.file}
	}
	return documented
}

// argv is the command's words; a line that needs a shell gets one.
func (c command) argv() []string {
	if strings.ContainsAny(c.line, "|&;<>()$`\\\"'*?[]#~!{}\n") {
		return []string{"sh", "-c", c.line}
	}
	return strings.Fields(c.line)
}

// answer is what became of one command.
type answer struct {
	out       []byte // standard output and error, as they came
	code      int
	truncated bool
	started   time.Time
	took      time.Duration
	// err says why there is no answer.
	err error
}

// run runs the commands on the writer's node and saves what each answers.
func (w *Writer) run(ctx context.Context, c *cluster.Cluster, commands []command) {
	commands = w.filled(commands)
	for i, a := range w.ask(ctx, c, commands) {
		w.keep(c, commands[i], a)
	}
}

// perNode is the PerNode of a collector that only runs commands.
func perNode(commands []command) func(context.Context, *cluster.Cluster, string, *Writer) error {
	return func(ctx context.Context, c *cluster.Cluster, _ string, w *Writer) error {
		w.run(ctx, c, commands)
		return nil
	}
}

// filled are the commands with values for the placeholders: those every command
// may have, and pairs of placeholder and value.
func (w *Writer) filled(commands []command, pairs ...string) []command {
	pairs = append(pairs, "<since>", strconv.FormatInt(w.since.Unix(), 10), "<node>", w.node)
	values := strings.NewReplacer(pairs...)
	filled := slices.Clone(commands)
	for i := range filled {
		filled[i].line = values.Replace(filled[i].line)
	}
	return filled
}

// ask runs the commands, those that need not be alone in a single exec because
// an exec costs more than most of them. Each has its own deadline.
func (w *Writer) ask(ctx context.Context, c *cluster.Cluster, commands []command) []answer {
	answers := make([]answer, len(commands))
	var together []int
	var running sync.WaitGroup
	for i, cmd := range commands {
		if cmd.alone {
			running.Go(func() { answers[i] = w.askAlone(ctx, c, cmd) })
		} else {
			together = append(together, i)
		}
	}
	if len(together) > 0 {
		w.askTogether(ctx, c, commands, together, answers)
	}
	running.Wait()
	return answers
}

func (w *Writer) askAlone(ctx context.Context, c *cluster.Cluster, cmd command) answer {
	ctx, cancel := context.WithTimeout(ctx, w.timeouts.NodeCommand)
	defer cancel()
	a := answer{started: time.Now()}
	out, err := c.Access.Run(ctx, w.node, cluster.Command{Argv: cmd.argv()})
	a.took = time.Since(a.started)
	a.out, a.code, a.truncated = out.Stdout, out.Code, out.Truncated
	if out.Code != 0 || len(out.Stdout) == 0 {
		a.out = append(a.out, out.Stderr...)
	}
	if errors.Is(err, exec.ErrNotFound) {
		a.code, err = 127, nil
	}
	a.err = whatTimedOut(err, w.timeouts.NodeCommand)
	if a.truncated {
		// The line after the gap is the end of one, and may be the end of a
		// secret.
		a.out = afterGap.ReplaceAll(a.out, []byte("$1"))
	}
	return a
}

// afterGap is the mark cluster.NodeAccess leaves where it cut, and what is left
// of the line behind it.
var afterGap = regexp.MustCompile(`(\n\.\.\. \d+ bytes left out \.\.\.\n)[^\n]*`)

// keep saves an answer, or records why there is none.
func (w *Writer) keep(c *cluster.Cluster, cmd command, a answer) {
	item := w.begin(c.Access.Describe(w.node, cmd.argv()))
	item.Started, item.Duration = a.started, a.took
	if a.err == nil {
		a.err = cmd.unanswered(a)
	}
	item.Path = "nodes/" + fileName(w.node) + "/" + cmd.file
	if a.err != nil {
		if len(a.out) == 0 || statusOf(a.err) != TimedOut {
			w.fail(item, a.err)
			return
		}
		w.save(item, io.MultiReader(bytes.NewReader(a.out), failing{a.err}))
		return
	}
	if a.code != 0 {
		item.Note = fmt.Sprintf("exit %d", a.code)
	}
	item.Truncated = a.truncated
	w.save(item, bytes.NewReader(a.out))
}

// enough is how many bytes of output make a command's failure partial: sysctl
// and crictl complain of one thing and print all others.
const enough = 400

// unanswered says why an answer is none; nil when it is one.
func (c command) unanswered(a answer) error {
	switch {
	case a.code == 127 && c.argv()[0] != "sh":
		return fmt.Errorf("no %s on this node (exit 127)", c.argv()[0])
	case a.code == 0 || c.answers || len(a.out) > enough:
		return nil
	}
	return fmt.Errorf("exit %d: %s", a.code, firstLine(a.out))
}

// failing is a reader that only fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line[:min(len(line), 300)]
}
