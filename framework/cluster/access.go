// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	stdoutLimit = 32 << 20 // bytes of standard output kept where the command names no limit
	stderrLimit = 1 << 20  // bytes of standard error kept
	// killWait is for the command in the node to be killed.
	killWait = 3 * time.Second
)

// shellAccess runs commands in shells that stay on the nodes between commands,
// under timeout(1): the end of what carries a shell does not end what the shell
// started.
type shellAccess struct {
	// open starts a shell on a node.
	open   func(ctx context.Context, node string) (*shell, error)
	shells *shells
}

// briefly is how much of a command an error repeats, in bytes: scripts are long
// and what comes after matters more.
const briefly = 60

func brief(argv []string) string {
	text := strings.Join(argv, " ")
	if len(text) > briefly {
		text = text[:briefly] + "..."
	}
	return strconv.Quote(text)
}

// quoted is argv as a POSIX shell takes it.
func quoted(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = quote(word)
	}
	return strings.Join(words, " ")
}

// quote makes word one word of a POSIX shell.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Run is NodeAccess's.
func (a shellAccess) Run(ctx context.Context, node string, cmd Command) (Output, error) {
	if len(cmd.Argv) == 0 {
		return Output{}, fmt.Errorf("run a command on %s: it is empty", node)
	}
	if err := ctx.Err(); err != nil {
		return Output{}, fmt.Errorf("run %s on %s: %w", brief(cmd.Argv), node, err)
	}
	start := time.Now()
	out, err := a.run(ctx, node, cmd)
	switch {
	case ctx.Err() != nil:
		return out, fmt.Errorf("run %s on %s: killed after %.1fs: %w", brief(cmd.Argv), node, time.Since(start).Seconds(), context.Cause(ctx))
	case err != nil:
		return out, fmt.Errorf("run %s on %s: %w", brief(cmd.Argv), node, err)
	}
	return out, nil
}

// run runs the command in a shell of the node, an idle one where there is one.
func (a shellAccess) run(ctx context.Context, node string, cmd Command) (Output, error) {
	sh, err := a.shells.take(ctx, node)
	if err != nil {
		return Output{}, err
	}
	var usable *shell
	defer func() { a.shells.give(node, usable) }()
	for kept := sh != nil; ; kept = false {
		if !kept {
			if sh, err = a.open(ctx, node); err != nil {
				return Output{}, err
			}
		}
		out, err := a.runIn(ctx, sh, node, cmd)
		if err == nil && ctx.Err() == nil {
			usable = sh
			return out, nil
		}
		sh.close()
		// A shell that was kept ends with its node's container.
		if !kept || ctx.Err() != nil || !errors.Is(err, errNotBegun) {
			return out, err
		}
	}
}

// runIn runs the command in the shell, which is killed when ctx ends.
func (a shellAccess) runIn(ctx context.Context, sh *shell, node string, cmd Command) (Output, error) {
	stdout, stderr := &clip{limit: cmd.Limit}, &clip{limit: stderrLimit}
	if stdout.limit <= 0 {
		stdout.limit = stdoutLimit
	}
	mark := "CNIPROOF_EXEC=" + rand.Text()
	argv := append([]string{"timeout", "-s", "KILL", inNodeLimit(ctx), "env", mark}, cmd.Argv...)
	ended := make(chan struct{})
	var code int
	var err error
	go func() {
		defer close(ended)
		// Not the command's own mark, which a command that prints its environment
		// would print.
		code, err = sh.run(argv, cmd.Stdin, rand.Text(), stdout, stderr)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		a.kill(ctx, node, mark)
		sh.close()
		<-ended
	}
	out := Output{Stdout: stdout.bytes(), Stderr: stderr.bytes(), Code: code, Truncated: stdout.truncated()}
	return out, execFault(out, err)
}

// inNodeLimit is what is left of ctx, in seconds as timeout(1) takes them; "0"
// is no limit.
func inNodeLimit(ctx context.Context) string {
	deadline, ok := ctx.Deadline()
	if !ok {
		return "0"
	}
	// Later than the client's own end, so that ctx decides what the error is.
	left := time.Until(deadline) + time.Second
	return strconv.FormatFloat(left.Seconds(), 'f', 3, 64)
}

// kill ends the command that mark is on, from a shell of its own. timeout(1)
// takes an alarm for the end of its time and kills what it started.
func (a shellAccess) kill(ctx context.Context, node, mark string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killWait)
	defer cancel()
	sh, err := a.open(ctx, node)
	if err != nil {
		return // best effort: the limit given to timeout(1) holds
	}
	defer sh.close()
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		_, _ = sh.run([]string{"pkill", "-ALRM", "-f", "timeout .* env " + mark}, nil, rand.Text(), io.Discard, io.Discard)
	}()
	select {
	case <-killed:
	case <-ctx.Done():
	}
}

// execFault tells a command that could not be run from one that ran and failed.
// err is the shell's.
func execFault(out Output, err error) error {
	said := strings.TrimSpace(string(out.Stderr))
	switch {
	case err != nil && said != "":
		return fmt.Errorf("%s: %w", said, err)
	case err != nil:
		return err
	case out.Code == 127 && strings.HasPrefix(said, "env: "):
		return fmt.Errorf("%s: %w", said, exec.ErrNotFound)
	case out.Code == 127 && strings.HasPrefix(said, "sh: ") && strings.HasSuffix(said, ": timeout: not found"),
		out.Code == 126 && strings.HasPrefix(said, "env: "):
		return errors.New(said)
	}
	return nil
}
