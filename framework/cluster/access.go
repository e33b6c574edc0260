// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	stdoutLimit = 32 << 20 // bytes of standard output kept where the command names no limit
	stderrLimit = 1 << 20  // bytes of standard error kept
	// killWait is for the docker client to end once it was killed, and for the
	// command in the node to be killed.
	killWait = 3 * time.Second
)

// containerAccess runs commands in the nodes of a kind cluster, containers of the
// local engine.
type containerAccess struct {
	// cluster is the name kind knows it by.
	cluster string
	// ids maps node names to container IDs: a container that was replaced by
	// another of the same name is not the node that was connected to.
	ids map[string]string
}

var _ NodeAccess = containerAccess{}

func (a containerAccess) Describe(node string, argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = quote(word)
	}
	return "docker exec " + node + " " + strings.Join(words, " ")
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

// Run starts the command under timeout(1), in the node: the death of a docker
// client does not end what it started.
func (a containerAccess) Run(ctx context.Context, node string, cmd Command) (Output, error) {
	id, ok := a.ids[node]
	if !ok {
		return Output{}, fmt.Errorf("run %s on %s: there is no container of this node", brief(cmd.Argv), node)
	}
	if len(cmd.Argv) == 0 {
		return Output{}, fmt.Errorf("run a command on %s: it is empty", node)
	}
	if err := ctx.Err(); err != nil {
		return Output{}, fmt.Errorf("run %s on %s: %w", brief(cmd.Argv), node, err)
	}
	mark := "CNIPROOF_EXEC=" + rand.Text()
	args := []string{"exec"}
	if cmd.Stdin != nil {
		args = append(args, "--interactive")
	}
	args = append(args, id, "timeout", "--signal=KILL", inNodeLimit(ctx), "env", mark)
	client := exec.CommandContext(ctx, "docker", append(args, cmd.Argv...)...)
	client.WaitDelay = killWait
	if cmd.Stdin != nil {
		client.Stdin = bytes.NewReader(cmd.Stdin)
	}
	stdout, stderr := &clip{limit: cmd.Limit}, &clip{limit: stderrLimit}
	if stdout.limit <= 0 {
		stdout.limit = stdoutLimit
	}
	client.Stdout, client.Stderr = stdout, stderr
	start := time.Now()
	err := client.Run()
	out := Output{Stdout: stdout.bytes(), Stderr: stderr.bytes(), Code: client.ProcessState.ExitCode(), Truncated: stdout.truncated()}
	if ctx.Err() != nil {
		a.kill(ctx, id, mark)
		return out, fmt.Errorf("run %s on %s: killed after %.1fs: %w", brief(cmd.Argv), node, time.Since(start).Seconds(), context.Cause(ctx))
	}
	if fault := execFault(out, err); fault != nil {
		return out, fmt.Errorf("run %s on %s: %w", brief(cmd.Argv), node, fault)
	}
	return out, nil
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

// kill ends the command that mark is on. timeout(1) takes an alarm for the end
// of its time and kills what it started.
func (a containerAccess) kill(ctx context.Context, id, mark string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killWait)
	defer cancel()
	// Best effort: where this fails, the limit given to timeout(1) holds.
	_ = exec.CommandContext(ctx, "docker", "exec", id, "pkill", "-ALRM", "--full", "timeout .* env "+mark).Run()
}

// execFault tells a command that could not be run from one that ran and failed.
func execFault(out Output, err error) error {
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	said := strings.TrimSpace(string(out.Stderr))
	switch {
	case out.Code == 1 && (strings.HasPrefix(said, "Error response from daemon:") || strings.HasPrefix(said, "Error: No such container") ||
		strings.HasPrefix(said, "Cannot connect to the Docker daemon")),
		strings.HasPrefix(said, "OCI runtime exec failed"), strings.HasPrefix(string(out.Stdout), "OCI runtime exec failed"):
		return fmt.Errorf("docker exec: %s%s", said, strings.TrimSpace(string(out.Stdout)))
	case out.Code == 127 && strings.HasPrefix(said, "env: "):
		return fmt.Errorf("%s: %w", said, exec.ErrNotFound)
	case out.Code == 126 && strings.HasPrefix(said, "env: "):
		return errors.New(said)
	case out.Code < 0:
		return err
	}
	return nil
}

// nodes are the names of the nodes.
func (a containerAccess) nodes() []string { return slices.Collect(maps.Keys(a.ids)) }
