// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cniproof/cniproof/fixtures/probe/job"
)

// errHungUp is a probe that ended, or whose stream did, with requests open.
var errHungUp = errors.New("the stream to the probe ended")

// line is one running probe: requests go to its standard input, replies come
// from its standard output in the order in which batches end. It is safe for
// concurrent use.
type line struct {
	requests chan []byte
	hangUp   context.CancelCauseFunc
	// over is closed when the probe or its stream ended, after why was set.
	over chan struct{}
	why  error

	mu   sync.Mutex
	last uint64
	open map[uint64]chan job.Answer
}

// stream runs the probe in a pod until stdin or ctx ends.
type stream func(ctx context.Context, pod Pod, stdin io.Reader, stdout, stderr io.Writer) error

// dial starts the probe in the pod. That it cannot be started shows in over.
func dial(s stream, pod Pod) *line {
	ctx, hangUp := context.WithCancelCause(context.Background())
	l := &line{requests: make(chan []byte), hangUp: hangUp, over: make(chan struct{}), open: map[uint64]chan job.Answer{}}
	stdin, feed := io.Pipe()
	stdout, written := io.Pipe()
	stderr := &tail{}
	go l.feed(ctx, feed)
	garbled := make(chan error, 1)
	go func() {
		err := l.dispatch(stdout)
		if err != nil {
			hangUp(err) // nothing that follows could be read
		}
		garbled <- err
	}()
	go func() {
		err := s(ctx, pod, stdin, written, stderr)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		written.Close()
		stdin.Close()
		if lost := <-garbled; lost != nil {
			err = lost
		}
		if err == nil {
			err = errHungUp
		}
		l.why = stderr.said(err)
		hangUp(l.why)
		close(l.over)
	}()
	return l
}

// feed writes requests to the probe.
func (l *line) feed(ctx context.Context, stdin *io.PipeWriter) {
	defer stdin.Close()
	for {
		select {
		case request := <-l.requests:
			if _, err := stdin.Write(request); err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// dispatch hands replies to those who wait for them, until stdout ends.
func (l *line) dispatch(stdout *io.PipeReader) error {
	defer stdout.Close()
	for replies := json.NewDecoder(stdout); ; {
		var reply job.Reply
		if err := replies.Decode(&reply); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w: %w", errGarbled, err)
		}
		l.mu.Lock()
		if waiting, ok := l.open[reply.ID]; ok {
			waiting <- reply.Answer // has room for it
			delete(l.open, reply.ID)
		}
		l.mu.Unlock()
	}
}

// ask puts one batch and waits for its answer, for the end of ctx or of the
// line.
func (l *line) ask(ctx context.Context, batch job.Batch) (job.Answer, error) {
	answer := make(chan job.Answer, 1)
	l.mu.Lock()
	l.last++
	id := l.last
	l.open[id] = answer
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.open, id)
		l.mu.Unlock()
	}()
	request, err := json.Marshal(job.Request{ID: id, Batch: batch})
	if err != nil {
		return job.Answer{}, fmt.Errorf("encode %d probe jobs: %w", len(batch.Jobs), err)
	}
	requests := l.requests
	for {
		select {
		case requests <- request:
			requests = nil // and wait
		case a := <-answer:
			return a, nil
		case <-ctx.Done():
			return job.Answer{}, context.Cause(ctx)
		case <-l.over:
			select {
			case a := <-answer: // came just before the end
				return a, nil
			default:
				return job.Answer{}, l.why
			}
		}
	}
}

// idle tells that nobody waits for an answer.
func (l *line) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) == 0
}

// tail keeps the end of what a probe wrote to stderr.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailSize is how much of it is kept, in bytes.
const tailSize = 500

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(p), nil
}

// said adds the text to err.
func (t *tail) said(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.text) == 0 {
		return err
	}
	return fmt.Errorf("%w (stderr: %q)", err, t.text)
}
