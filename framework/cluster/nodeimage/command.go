// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// graceful is how long children get to clean up once ctx ended.
const graceful = 10 * time.Second

// command is one child process of a build. It and its children are one process
// group, so that nothing of it outlives the build.
type command struct {
	argv  []string
	dir   string   // empty: this process's
	env   []string // added to this process's
	stdin io.Reader
	// progress counts lines that are a single word and keeps them out of errors:
	// the packages that "go build -v" names. Nil counts none.
	progress *atomic.Int64
}

// run returns the command's standard output. Its error has the command line and the
// last lines of what it wrote.
func (c command) run(ctx context.Context) (string, error) {
	var stdout bytes.Buffer
	said := &tail{words: c.progress}
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Stdin = c.dir, c.stdin
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Env = append(cmd.Env, c.env...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, said), said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = graceful
	err := cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what did not end when asked to
	}
	if cause := context.Cause(ctx); cause != nil {
		return "", fmt.Errorf("run %s: %w", c, cause)
	}
	return "", fmt.Errorf("run %s: %w; it ends with:\n%s", c, err, said)
}

// String is the command as one would type it, without the later lines of a script.
func (c command) String() string {
	words := slices.Clone(c.argv)
	for i, word := range words {
		first, _, script := strings.Cut(word, "\n")
		if script {
			word = first + " ..."
		}
		if strings.ContainsAny(word, " '\"") {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words[i] = word
	}
	return strings.Join(words, " ")
}

// tail keeps the last lines written to it. Safe for concurrent use.
type tail struct {
	words *atomic.Int64

	mu      sync.Mutex
	lines   []string
	partial string
}

// tailLines is how many lines of a failed command are worth reading.
const tailLines = 20

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(t.partial+string(p), "\n")
	t.partial = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		line = strings.TrimRight(line, "\r ")
		switch {
		case line == "":
		case t.words != nil && !strings.ContainsAny(line, " \t:"):
			t.words.Add(1)
		default:
			t.lines = append(t.lines, line)
		}
	}
	t.lines = t.lines[max(0, len(t.lines)-tailLines):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	if t.partial != "" {
		lines = append(lines[:len(lines):len(lines)], t.partial)
	}
	return strings.Join(lines, "\n")
}
