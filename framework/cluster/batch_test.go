// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// here is node access to this machine.
func here(execs *int) func(context.Context, Command) (Output, error) {
	return func(ctx context.Context, cmd Command) (Output, error) {
		*execs++
		run := exec.CommandContext(ctx, cmd.Argv[0], cmd.Argv[1:]...)
		run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGKILL) }
		var stdout, stderr bytes.Buffer
		run.Stdout, run.Stderr = &stdout, &stderr
		err := run.Run()
		if ctx.Err() == nil {
			err = nil
		}
		return Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Code: run.ProcessState.ExitCode()}, err
	}
}

// TestBatchGoesOn: a line that an exec's end cut gets another if it came late, one
// that does not end is given up, and neither costs another line its answer.
func TestBatchGoesOn(t *testing.T) {
	execs := 0
	answers := Batch(t.Context(), 2*time.Second, []string{
		"sleep 1.2; echo first", "sleep 1.2; echo second; echo complaint >&2; exit 3", "echo begun; sleep 60", "exec echo last",
	}, here(&execs))
	for i, want := range []string{"first\n", "second\n", "begun\n", "last\n"} {
		a := answers[i]
		if string(a.Stdout) != want || (i == 2) != errors.Is(a.Err, context.DeadlineExceeded) || i != 2 && a.Err != nil {
			t.Errorf("line %d: %q, %v; wanted %q", i, a.Stdout, a.Err, want)
		}
	}
	if a := answers[1]; a.Code != 3 || string(a.Stderr) != "complaint" || a.Took < time.Second {
		t.Errorf("exit %d, %q, after %s", a.Code, a.Stderr, a.Took)
	}
	if execs != 4 {
		t.Errorf("%d execs, wanted one for all, one for the second, one for the third, one for the last", execs)
	}
}

func TestBatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	execs := 0
	answers := Batch(ctx, time.Minute, []string{"echo whole", "echo part; sleep 60", "echo never"}, here(&execs))
	if a := answers[0]; a.Err != nil || string(a.Stdout) != "whole\n" {
		t.Errorf("what ended before: %q, %v", a.Stdout, a.Err)
	}
	if a := answers[1]; a.Err == nil || string(a.Stdout) != "part\n" {
		t.Errorf("what was cut: %q, %v", a.Stdout, a.Err)
	}
	if a := answers[2]; a.Err == nil || !a.Started.IsZero() {
		t.Errorf("what did not begin: %v, at %s", a.Err, a.Started)
	}
}

func TestBatchLinesAreAlone(t *testing.T) {
	execs := 0
	answers := Batch(t.Context(), time.Minute, []string{"cd /; x=1; exit 5", "echo \"$x$PWD\"", "if", "cat; echo 'it is'", "echo $LC_ALL"}, here(&execs))
	if answers[0].Code != 5 || strings.HasPrefix(string(answers[1].Stdout), "1") || string(answers[1].Stdout) == "/\n" {
		t.Errorf("exit %d, then %q", answers[0].Code, answers[1].Stdout)
	}
	if answers[2].Code == 0 || len(answers[2].Stderr) == 0 {
		t.Errorf("what is no shell: exit %d, %q", answers[2].Code, answers[2].Stderr)
	}
	if string(answers[3].Stdout) != "it is\n" || string(answers[4].Stdout) != "C\n" || execs != 1 {
		t.Errorf("%q, %q, in %d execs", answers[3].Stdout, answers[4].Stdout, execs)
	}
}

// TestBatchOnASlowNode: an exec that began nothing in its time gets more, and one
// that never begins anything ends.
func TestBatchOnASlowNode(t *testing.T) {
	execs := 0
	run := func(start time.Duration) func(context.Context, Command) (Output, error) {
		return func(ctx context.Context, cmd Command) (Output, error) {
			select {
			case <-time.After(start):
				return here(&execs)(ctx, cmd)
			case <-ctx.Done():
				execs++
				return Output{}, ctx.Err()
			}
		}
	}
	if a := Batch(t.Context(), time.Second, []string{"echo slow"}, run(1200*time.Millisecond))[0]; a.Err != nil || string(a.Stdout) != "slow\n" || execs != 2 {
		t.Errorf("%q, %v, %d execs", a.Stdout, a.Err, execs)
	}
	execs = 0
	if a := Batch(t.Context(), 100*time.Millisecond, []string{"echo never"}, run(time.Minute))[0]; !errors.Is(a.Err, context.DeadlineExceeded) || execs != 2 {
		t.Errorf("%v, %d execs", a.Err, execs)
	}
}
