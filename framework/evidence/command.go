// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
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
}

// steps document commands.
func steps(commands []command) []Step {
	documented := make([]Step, len(commands))
	for i, c := range commands {
		documented[i] = Step{Command: c.line, Yields: "nodes/<node>/" + c.file}
	}
	return documented
}

// needsShell tells that the line is more than words.
func (c command) needsShell() bool {
	return strings.ContainsAny(c.line, "|&;<>()$`\\\"'*?[]#~!{}\n")
}

// argv is the command's words; a line that needs a shell gets one.
func (c command) argv() []string {
	if c.needsShell() {
		return []string{"sh", "-c", c.line}
	}
	return strings.Fields(c.line)
}

// shell is the command for a shell that has nothing else to do.
func (c command) shell() string {
	if c.needsShell() {
		return c.line
	}
	return "exec " + c.line
}

// answer is what became of one command.
type answer struct {
	out       []byte // standard output
	complaint []byte // standard error
	code      int
	truncated bool // by node access, in the middle
	started   time.Time
	took      time.Duration
	note      string
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
	pairs = append(slices.Clone(pairs), "<since>", strconv.FormatInt(w.since.Unix(), 10), "<node>", w.node)
	filled := slices.Clone(commands)
	for i := range filled {
		filled[i].line = fill(filled[i].line, pairs...)
	}
	return filled
}

// fill puts values in place of the placeholders of a text. Pairs are placeholder
// and value, e.g. "<node>", "worker2".
func fill(text string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(text)
}

// named is a command with its placeholders filled in, in its file too. What is
// filled in comes from the node: it is quoted where a shell would act on it.
func (w *Writer) named(c command, pairs ...string) command {
	words := slices.Clone(pairs)
	for i := 1; i < len(words); i += 2 {
		words[i] = word(words[i])
	}
	filled := w.filled([]command{c}, words...)[0]
	filled.file = path.Clean(fill(c.file, pairs...))
	return filled
}

// keep saves an answer, or records why there is none.
func (w *Writer) keep(c *cluster.Cluster, cmd command, a answer) {
	item := w.begin(c.Access.Describe(w.node, cmd.argv()))
	item.Started, item.Duration, item.Note = a.started, a.took, a.note
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
	switch {
	case a.code != 0 || len(a.out) == 0:
		a.out = slices.Concat(a.out, a.complaint)
		if a.code != 0 && item.Note == "" {
			item.Note = fmt.Sprintf("exit %d", a.code)
		}
	case len(a.complaint) > 0 && item.Note == "":
		item.Note = "it also said: " + firstLine(a.complaint)
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
	return fmt.Errorf("exit %d: %s", a.code, firstLine(slices.Concat(a.complaint, a.out)))
}

// failing is a reader that only fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line[:min(len(line), 300)]
}
