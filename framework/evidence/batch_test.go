// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
)

// scripted is node access that answers every exec with one text.
type scripted struct {
	output func(script string) cluster.Output
	err    error
}

func (s scripted) Describe(_ string, argv []string) string { return strings.Join(argv, " ") }

func (s scripted) Run(_ context.Context, _ string, cmd cluster.Command) (cluster.Output, error) {
	return s.output(cmd.Argv[len(cmd.Argv)-1]), s.err
}

func nodeWriter(t *testing.T, node string) *Writer {
	_, w := newBundleAt(t, t.TempDir(), Limits{})
	w.node, w.timeouts = node, testTimeouts()
	return w
}

func TestAskSeparatesAnswers(t *testing.T) {
	root := newNode(t, map[string]string{
		"both":  `echo out; echo complaint >&2; exit 3`,
		"bare":  `printf 'no newline at the end'`,
		"marks": `printf '\nABC begin 0 1.0\n'`,
		"stdin": `cat && echo done`,
	}, map[string]string{"f": "content\n"})
	c := &cluster.Cluster{Access: &fakeNodes{roots: map[string]string{"n": root}}}
	commands := []command{{line: "both"}, {line: "bare"}, {line: "absent --flag"}, {line: "marks"}, {line: "cat /f | grep -c content"}, {line: "stdin"}, {line: `printf '%s' "a'b"`}}
	answers := nodeWriter(t, "n").ask(t.Context(), c, commands)
	for i, want := range []answer{
		{out: []byte("out\n"), complaint: []byte("complaint"), code: 3}, {out: []byte("no newline at the end")}, {code: 127},
		{out: []byte("\nABC begin 0 1.0\n")}, {out: []byte("1\n")}, {out: []byte("\ndone\n")}, {out: []byte("a'b")},
	} {
		got := answers[i]
		if got.err != nil || got.code != want.code || string(got.out) != string(want.out) || want.complaint != nil && string(got.complaint) != string(want.complaint) {
			t.Errorf("%s: exit %d, %q, %q, %v; want exit %d, %q, %q", commands[i].line, got.code, got.out, got.complaint, got.err, want.code, want.out, want.complaint)
		}
	}
	if err := commands[2].unanswered(answers[2]); err == nil || err.Error() != "no absent on this node (exit 127)" {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestAskEachCommandHasItsTime(t *testing.T) {
	root := newNode(t, map[string]string{"hangs": `echo begun; exec /bin/sleep 60`, "quick": `echo fine`}, nil)
	c := &cluster.Cluster{Access: &fakeNodes{roots: map[string]string{"n": root}}}
	w := nodeWriter(t, "n")
	w.timeouts.NodeCommand = 300 * time.Millisecond
	answers := w.ask(t.Context(), c, []command{{line: "hangs"}, {line: "quick"}})
	if statusOf(answers[0].err) != TimedOut || string(answers[0].out) != "begun\n" {
		t.Errorf("the command that hangs: %q, %v", answers[0].out, answers[0].err)
	}
	if answers[1].err != nil || string(answers[1].out) != "fine\n" {
		t.Errorf("the command after it: %q, %v", answers[1].out, answers[1].err)
	}
}

// TestAskWhenOutputWasCut: node access keeps the head and the tail of an exec's
// output; a cut inside one command's loses no other.
func TestAskWhenOutputWasCut(t *testing.T) {
	access := scripted{output: func(script string) cluster.Output {
		mark := strings.Fields(script[strings.Index(script, `printf '\n`)+len(`printf '\n`):])[0]
		text := ""
		for i, body := range []string{"first", "head of the second\n\n... 99 bytes left out ...\nlf.of.a.token\ntail", "", "last"} {
			if i == 2 {
				continue
			}
			text += fmt.Sprintf("\n%[1]s begin %[2]d 5.00\n%[3]s\n%[1]s error %[2]d\n\n%[1]s end %[2]d 0 5.01\n", mark, i, body)
		}
		return cluster.Output{Stdout: []byte(text), Truncated: true}
	}}
	answers := nodeWriter(t, "n").ask(t.Context(), &cluster.Cluster{Access: access}, []command{{line: "a"}, {line: "b"}, {line: "c"}, {line: "d"}})
	if a := answers[0]; a.err != nil || a.truncated || string(a.out) != "first" {
		t.Errorf("before the gap: %q, truncated %t, %v", a.out, a.truncated, a.err)
	}
	if a := answers[1]; a.err != nil || !a.truncated || string(a.out) != "head of the second\n\n... 99 bytes left out ...\n\ntail" {
		t.Errorf("around the gap: %q, truncated %t, %v", a.out, a.truncated, a.err)
	}
	if a := answers[2]; a.err == nil {
		t.Errorf("inside the gap: %q and no error", a.out)
	}
	if a := answers[3]; a.err != nil || string(a.out) != "last" {
		t.Errorf("behind the gap: %q, %v", a.out, a.err)
	}
}

func TestAskWithoutShell(t *testing.T) {
	c := &cluster.Cluster{Access: &fakeNodes{roots: map[string]string{"n": t.TempDir()}}}
	answers := nodeWriter(t, "n").ask(t.Context(), c, []command{{line: "ip addr"}})
	if answers[0].err == nil || answers[0].err.Error() != "no sh on this node (exit 127)" {
		t.Errorf("a node without a shell: %v", answers[0].err)
	}
}

func TestCommandArgv(t *testing.T) {
	for line, want := range map[string]string{
		"journalctl -u kubelet --since=@17": "journalctl|-u|kubelet|--since=@17",
		"cat '/a b'":                        "sh|-c|cat '/a b'",
		"a | b":                             "sh|-c|a | b",
	} {
		if got := strings.Join(command{line: line}.argv(), "|"); got != want {
			t.Errorf("argv of %q = %s, want %s", line, got, want)
		}
	}
}
