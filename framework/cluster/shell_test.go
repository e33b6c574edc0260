// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"errors"
	"os/exec"
	"testing"
)

// TestShell is about a shell of this machine; TestLiveNodeAccess is about those
// of nodes.
func TestShell(t *testing.T) {
	s, err := startShell(exec.Command("env", "LC_ALL=C", "sh"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	large := bytes.Repeat([]byte("0123456789\x00\n"), 100_000)
	for name, test := range map[string]struct {
		argv           []string
		stdin          []byte
		stdout, stderr string
		code           int
	}{
		"no output":            {argv: []string{"true"}},
		"exit code":            {argv: []string{"sh", "-c", "echo no >&2; exit 3"}, stderr: "no\n", code: 3},
		"no newline":           {argv: []string{"printf", "a b"}, stdout: "a b"},
		"only newlines":        {argv: []string{"printf", `\n\n`}, stdout: "\n\n"},
		"quotes":               {argv: []string{"printf", "%s", "it's $HOME\n"}, stdout: "it's $HOME\n"},
		"no standard input":    {argv: []string{"cat"}},
		"empty standard input": {argv: []string{"cat"}, stdin: []byte{}},
		"large and binary":     {argv: []string{"cat"}, stdin: large, stdout: string(large)},
		"the mark in a line":   {argv: []string{"echo", "x MARK 1"}, stdout: "x MARK 1\n"},
		"not there":            {argv: []string{"env", "nosuch-command"}, stderr: "env: 'nosuch-command': No such file or directory\n", code: 127},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code, err := s.run(test.argv, test.stdin, "MARK", &stdout, &stderr)
			if err != nil || code != test.code || stdout.String() != test.stdout || stderr.String() != test.stderr {
				t.Errorf("wanted %d, %.40q, %q; observed %d, %.40q, %q, %v", test.code, test.stdout, test.stderr, code, stdout.String(), stderr.String(), err)
			}
		})
	}
}

func TestShellEnds(t *testing.T) {
	s, err := startShell(exec.Command("sh", "-c", "echo no such container >&2; exit 1"))
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	_, err = s.run([]string{"true"}, nil, "MARK", &bytes.Buffer{}, &stderr)
	if !errors.Is(err, errNotBegun) || stderr.String() != "no such container\n" {
		t.Errorf("wanted a shell that did not begin and what it said, observed %v, %q", err, stderr.String())
	}
	s.close()

	if s, err = startShell(exec.Command("sh")); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	_, err = s.run([]string{"sh", "-c", "kill -9 $PPID"}, nil, "MARK", &bytes.Buffer{}, &bytes.Buffer{})
	if err == nil || errors.Is(err, errNotBegun) {
		t.Errorf("wanted an error of a command that began, observed %v", err)
	}
}
