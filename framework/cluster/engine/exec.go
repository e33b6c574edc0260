// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Docker runs the docker client and returns its standard output without the
// trailing newline. The error names the command, its exit status and the last
// lines of its standard error. ctx bounds the call.
func Docker(ctx context.Context, args ...string) (string, error) {
	return run(ctx, "docker", args...)
}

func run(ctx context.Context, name string, args ...string) (string, error) {
	return runWithInput(ctx, "", name, args...)
}

func runWithInput(ctx context.Context, stdin, name string, args ...string) (string, error) {
	path, err := find(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A package manager that is killed outright leaves its database half written.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = interruptLimit
	err = cmd.Run()
	if err == nil {
		return strings.TrimRight(stdout.String(), "\n"), nil
	}
	line := strings.Join(append([]string{name}, args...), " ")
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	said := lastLines(stderr.String(), 5)
	if said == "" {
		said = lastLines(stdout.String(), 5)
	}
	if said == "" {
		return "", fmt.Errorf("run %q: %w", line, err)
	}
	return "", fmt.Errorf("run %q: %w: %s", line, err, said)
}

// find looks for a program in PATH and then in the directories of system
// administration, which are missing from the PATH of many root shells.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find the program %s: %w", name, errors.Unwrap(err))
}

// lastLines returns the last n lines of text that are not empty.
func lastLines(text string, n int) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
