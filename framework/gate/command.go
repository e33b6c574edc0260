// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/cniproof/cniproof/framework/redact"
)

// Line is one line of a command's output.
type Line struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Command is what became of the command that is gated.
type Command struct {
	// Text is as the user gave it, for sh -c.
	Text  string    `json:"text"`
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
	// Code is its exit code; -1 when a signal ended it.
	Code int `json:"code"`
	// Problem says why it did not end by itself, e.g. its time was over.
	Problem string `json:"problem,omitempty"`
	// Lines are the first and the last of its output; all of it is in Log.
	Lines []Line `json:"lines,omitempty"`
	Log   string `json:"log,omitempty"`
}

// Failed says why the command failed; empty when it did not.
func (c *Command) Failed() string {
	switch {
	case c == nil:
		return ""
	case c.Problem != "":
		return c.Problem
	case c.Code != 0:
		return fmt.Sprintf("the command ended with exit code %d", c.Code)
	}
	return ""
}

const (
	// lines is how many lines of output are kept at each end.
	lines = 200
	// grace is how long the command has from SIGTERM to its end.
	grace = 10 * time.Second
)

// run runs a command in a shell and a process group of its own, writes its output
// line by line with the time to out and log, and ends the whole group when ctx does.
func run(ctx context.Context, text string, limit time.Duration, out, log io.Writer) *Command {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the command took longer than %s", limit))
	defer cancel()
	c := &Command{Text: clean([]byte(text)), Begin: time.Now()}
	cmd := exec.CommandContext(ctx, "sh", "-c", text)
	cmd.Env = append(os.Environ(), "CNIPROOF_GATE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	read, write, err := os.Pipe()
	if err != nil {
		c.End, c.Code, c.Problem = time.Now(), -1, err.Error()
		return c
	}
	cmd.Stdout, cmd.Stderr = write, write
	var reading sync.WaitGroup
	reading.Go(func() { c.read(read, out, log) })
	err = cmd.Start()
	write.Close()
	if err == nil {
		err = cmd.Wait()
		// What it left behind in its group would keep the pipe open.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	done := make(chan struct{})
	go func() { reading.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(grace): // somebody outside the group holds the pipe
		read.Close()
		<-done
	}
	read.Close()
	c.End = time.Now()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		c.Code, c.Problem = -1, context.Cause(ctx).Error()
		if errors.Is(context.Cause(ctx), context.Canceled) {
			c.Problem = "interrupted"
		}
	case errors.As(err, &exit):
		c.Code = exit.ExitCode()
	case err != nil:
		c.Code, c.Problem = -1, err.Error()
	}
	return c
}

func (c *Command) read(in io.Reader, out, log io.Writer) {
	reader := bufio.NewReaderSize(in, 64<<10)
	for {
		text, err := reader.ReadSlice('\n')
		if len(text) > 0 {
			line := Line{At: time.Now(), Text: clean(text)}
			fmt.Fprintf(log, "%s  %s\n", line.At.UTC().Format("15:04:05.000"), line.Text)
			fmt.Fprintf(out, "  upgrade  %s  %s\n", line.At.UTC().Format("15:04:05.000"), line.Text)
			if len(c.Lines) >= 2*lines {
				c.Lines = append(c.Lines[:lines], c.Lines[lines+1:]...)
			}
			c.Lines = append(c.Lines, line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// clean is a line without secrets, colours and what a terminal would overwrite.
func clean(text []byte) string {
	text, _ = redact.Text(bytes.TrimRight(text, "\r\n"))
	if i := bytes.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	return string(colours.ReplaceAll(text, nil))
}

// colours are ECMA-48 control sequences.
var colours = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")
