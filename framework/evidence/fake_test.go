// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cniproof/cniproof/framework/cluster"
)

// fakeNodes is node access to directories of this machine: a node's commands
// are the scripts in its bin directory and its files lie below its root, so
// that what runs is the real script of a batch and nothing of this machine is
// read.
type fakeNodes struct {
	roots map[string]string
	// before is called before each command; an error of it is the answer.
	before func(ctx context.Context, node string) error

	mu   sync.Mutex
	argv [][]string
}

func (f *fakeNodes) Describe(node string, argv []string) string {
	if argv[0] == "sh" {
		return "on " + node + ": " + argv[2]
	}
	return "on " + node + ": " + strings.Join(argv, " ")
}

func (f *fakeNodes) Run(ctx context.Context, node string, cmd cluster.Command) (cluster.Output, error) {
	f.mu.Lock()
	f.argv = append(f.argv, cmd.Argv)
	f.mu.Unlock()
	if f.before != nil {
		if err := f.before(ctx, node); err != nil {
			return cluster.Output{}, err
		}
	}
	root, ok := f.roots[node]
	if !ok {
		return cluster.Output{}, errors.New("no such container: " + node)
	}
	path := filepath.Join(root, "bin", cmd.Argv[0])
	if _, err := os.Stat(path); err != nil {
		return cluster.Output{Code: 127}, fmt.Errorf("env: %s: %w", cmd.Argv[0], exec.ErrNotFound)
	}
	run := exec.CommandContext(ctx, path, cmd.Argv[1:]...)
	run.Env = []string{"PATH=" + filepath.Join(root, "bin"), "ROOT=" + root}
	// As node access does, with all that it started.
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGKILL) }
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	err := run.Run()
	out := cluster.Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Code: run.ProcessState.ExitCode()}
	if ctx.Err() != nil {
		return out, fmt.Errorf("run on %s: killed: %w", node, context.Cause(ctx))
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return out, err
	}
	return out, nil
}

// below makes a program read absolute paths below the node's root and print
// them without it.
const below = `#!/bin/sh
for a; do
  shift
  case $a in /*) set -- "$@" "$ROOT$a";; *) set -- "$@" "$a";; esac
done
out=$(%s "$@" 2>&1); code=$?
printf '%%s\n' "$out" | /usr/bin/sed "s|$ROOT||g"
exit $code
`

// newNode makes a node with programs (name to script, "" for a path that only
// exists) and files (path to content).
func newNode(t *testing.T, programs, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	write := func(path, content string, mode os.FileMode) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "date"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("this machine has no %s", name)
		}
		write("bin/"+name, "#!/bin/sh\nexec "+path+" \"$@\"\n", 0o755)
	}
	for _, name := range []string{"cat", "ls", "find", "grep", "tail", "head"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("this machine has no %s", name)
		}
		write("bin/"+name, fmt.Sprintf(below, path), 0o755)
	}
	for name, script := range programs {
		write("bin/"+name, "#!/bin/sh\n"+script+"\n", 0o755)
	}
	for path, content := range files {
		write(path, content, 0o644)
	}
	return root
}
