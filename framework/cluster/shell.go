// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// shell is a POSIX shell that stays attached to a node and takes commands one
// after another. Starting a process in a container from outside costs a quarter
// of a CPU second (docker exec, runc, its shim), from a shell that is there
// already next to nothing.
//
// A command may not leave a process behind that holds its standard output.
type shell struct {
	in             io.WriteCloser
	stdout, stderr *bufio.Reader
	// end ends what carries the three, and does not wait for that.
	end    func()
	closed sync.Once
}

// startShell starts a shell with the client, e.g. docker exec --interactive ID sh.
// The client gets a process group of its own: Ctrl-C is for the run, which
// still needs its nodes to clean up.
func startShell(client *exec.Cmd) (*shell, error) {
	client.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := client.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := client.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := client.StderrPipe()
	if err != nil {
		return nil, err
	}
	return newShell(in, stdout, stderr, func() {
		_ = client.Process.Kill()
		go func() { _ = client.Wait() }()
	}), client.Start()
}

// newShell is a shell behind three streams; end ends it.
func newShell(in io.WriteCloser, stdout, stderr io.Reader, end func()) *shell {
	return &shell{in: in, stdout: bufio.NewReader(stdout), stderr: bufio.NewReader(stderr), end: end}
}

// close ends the shell and what still runs in it.
func (s *shell) close() {
	s.closed.Do(func() {
		s.in.Close()
		s.end()
	})
}

// errNotBegun is that a shell ended before it began the command.
var errNotBegun = errors.New("the shell on the node ended")

// run runs argv with that standard input (nil is none) and writes what it
// prints. mark is a word that begins no line of the output. Any error leaves the
// shell unusable; errNotBegun is in it where nothing of the command ran. It
// ends when the command does, or when close is called.
func (s *shell) run(argv []string, stdin []byte, mark string, stdout, stderr io.Writer) (code int, err error) {
	words := quoted(argv)
	var script bytes.Buffer
	fmt.Fprintf(&script, "echo %s\n", mark)
	if stdin == nil {
		fmt.Fprintf(&script, "%s </dev/null\n", words)
	} else {
		fmt.Fprintf(&script, "base64 -d <<'%s' | %s\n%s\n%s\n", mark, words, wrapped(stdin), mark)
	}
	fmt.Fprintf(&script, "printf '\\n%%s %%d\\n' %[1]s $?; printf '\\n%%s\\n' %[1]s >&2\n", mark)
	// A shell reads its script as it goes: writing must not wait for it.
	go s.in.Write(script.Bytes()) //nolint:errcheck // what was not written is not begun
	complaints := make(chan error, 1)
	go func() {
		_, err := until(s.stderr, mark, stderr)
		complaints <- err
	}()
	// The shell starts silently; what could not start it says why.
	var said bytes.Buffer
	if _, err := until(s.stdout, mark, &said); err != nil {
		<-complaints
		return -1, fmt.Errorf("%w: %s%w", errNotBegun, said.Bytes(), err)
	}
	rest, err := until(s.stdout, mark, stdout)
	if err = errors.Join(err, <-complaints); err != nil {
		return -1, fmt.Errorf("the shell on the node ended while it ran: %w", err)
	}
	return strconv.Atoi(rest)
}

// wrapped is base64 in lines that every base64(1) and here-document takes.
func wrapped(data []byte) []byte {
	const width = 1 << 10
	text := base64.StdEncoding.AppendEncode(nil, data)
	var lines bytes.Buffer
	for len(text) > width {
		lines.Write(text[:width])
		lines.WriteByte('\n')
		text = text[width:]
	}
	lines.Write(text)
	return lines.Bytes()
}

// until copies lines to w up to the line that begins with mark, without the
// newline that was put before it, and returns the rest of that line.
func until(r *bufio.Reader, mark string, w io.Writer) (rest string, err error) {
	newline, begins := false, true // of the line before, not written yet; a line begins here
	for {
		line, err := r.ReadSlice('\n')
		full := !errors.Is(err, bufio.ErrBufferFull)
		if after, ok := bytes.CutPrefix(line, []byte(mark)); ok && begins {
			return strings.TrimSpace(string(after)), nil
		}
		if newline {
			_, _ = w.Write([]byte{'\n'})
		}
		if err != nil && full {
			_, _ = w.Write(line)
			return "", err
		}
		if newline = full; full {
			line = line[:len(line)-1]
		}
		_, _ = w.Write(line)
		begins = full
	}
}

// shellsPerNode bounds how many commands run on a node at the same time. It is
// more than the collectors of evidence, so that those which hang on a dead
// runtime do not keep the others waiting.
const shellsPerNode = 24

// shells are the idle shells of nodes and the right to start more. It is safe
// for concurrent use.
type shells struct {
	mu   sync.Mutex
	idle map[string][]*shell
	free map[string]chan struct{}
}

// take waits for the right to use a shell of the node, and returns an idle one,
// nil where one has to be started. give must follow.
func (p *shells) take(ctx context.Context, node string) (*shell, error) {
	p.mu.Lock()
	if p.free == nil {
		p.free, p.idle = map[string]chan struct{}{}, map[string][]*shell{}
	}
	if p.free[node] == nil {
		p.free[node] = make(chan struct{}, shellsPerNode)
	}
	free := p.free[node]
	p.mu.Unlock()
	select {
	case free <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle[node]); n > 0 {
		s := p.idle[node][n-1]
		p.idle[node] = p.idle[node][:n-1]
		return s, nil
	}
	return nil, nil
}

// give returns what take gave; s is a shell that can be used again, or nil.
func (p *shells) give(node string, s *shell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s != nil {
		p.idle[node] = append(p.idle[node], s)
	}
	<-p.free[node]
}
