// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/config"
)

const (
	// tries is how often a batch is handed to a pod while the transport fails.
	tries = 3
	// between is the wait after the first failed try; it doubles.
	between = 200 * time.Millisecond
	// keep is how many probes stay attached between batches. A started process
	// costs a node more than a batch does; an open stream costs memory here.
	keep = 64
)

// command is the probe in its image.
var command = []string{"/probe", "run"}

// errGarbled is a stream that is well and yet brought no usable answer.
var errGarbled = errors.New("no usable answer")

// Exec is the Runner over the API server's exec: one probe process per pod,
// which stays attached and does the batches of all who ask, at the same time.
// Safe for concurrent use.
type Exec struct {
	stream   stream
	timeouts config.Timeouts

	mu    sync.Mutex
	lines map[string]*line // by namespace/pod
}

// NewExec returns an Exec over the API server of config. Of timeouts it uses
// ProbeJob, for jobs that name no timeout, and Exec.
func NewExec(config *rest.Config, timeouts config.Timeouts) *Exec {
	return &Exec{stream: remote{config}.stream, timeouts: timeouts, lines: map[string]*line{}}
}

// Close ends all attached probes. A Run after it attaches anew.
func (e *Exec) Close() {
	e.mu.Lock()
	lines := e.lines
	e.lines = map[string]*line{}
	e.mu.Unlock()
	for _, l := range lines {
		l.hangUp(errHungUp)
		<-l.over
	}
}

// Run hands the jobs to the pod's probe and returns one result per job, in
// their order. It may take as long as the jobs may (job.Batch.Bound) and
// Timeouts.Exec beyond. An error means that nothing was measured: the probe
// could not be reached, again after more tries, or what came was no answer.
func (e *Exec) Run(ctx context.Context, pod Pod, jobs []job.Job) ([]job.Result, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	batch := job.Batch{Jobs: slices.Clone(jobs)}
	for i := range batch.Jobs {
		if batch.Jobs[i].Timeout <= 0 {
			batch.Jobs[i].Timeout = e.timeouts.ProbeJob
		}
	}
	start, wait := time.Now(), between
	for try := 1; ; try++ {
		results, err := e.once(ctx, pod, batch)
		if err == nil {
			return results, nil
		}
		if try == tries || permanent(err) || ctx.Err() != nil {
			return nil, fmt.Errorf("exec the probe in pod %s/%s on %s, try %d, after %s: %w",
				pod.Namespace, pod.Name, pod.Node, try, time.Since(start).Round(time.Millisecond), err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// once asks the pod's probe, attached or not. A line that brought no answer is
// not used again: what else waits on it tries another.
func (e *Exec) once(ctx context.Context, pod Pod, batch job.Batch) ([]job.Result, error) {
	bound := batch.Bound() + e.timeouts.Exec
	within, stop := context.WithTimeoutCause(ctx, bound, fmt.Errorf("no answer within %s: %w", bound, context.DeadlineExceeded))
	defer stop()
	l := e.line(pod)
	answer, err := l.ask(within, batch)
	var results []job.Result
	if err == nil {
		results, err = match(answer, batch.Jobs)
	}
	// Whoever gave up by itself says nothing about the line.
	e.done(pod, l, err != nil && ctx.Err() == nil)
	return results, err
}

// line is the pod's probe.
func (e *Exec) line(pod Pod) *line {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := pod.Namespace + "/" + pod.Name
	if l, ok := e.lines[key]; ok {
		select {
		case <-l.over:
		default:
			return l
		}
	}
	l := dial(e.stream, pod)
	e.lines[key] = l
	return l
}

// done lets go of the line: of a bad one at once, of a good one when there are
// more than are kept and nobody waits on it.
func (e *Exec) done(pod Pod, l *line, bad bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := pod.Namespace + "/" + pod.Name
	if e.lines[key] != l || !bad && (len(e.lines) <= keep || !l.idle()) {
		return
	}
	delete(e.lines, key)
	l.hangUp(errHungUp)
}

// match returns the results when they are those of jobs.
func match(answer job.Answer, jobs []job.Job) ([]job.Result, error) {
	if len(answer.Results) != len(jobs) {
		return nil, fmt.Errorf("%w: %d jobs, %d results", errGarbled, len(jobs), len(answer.Results))
	}
	for i, r := range answer.Results {
		if r.ID != jobs[i].ID {
			return nil, fmt.Errorf("%w: result %d is of job %q, wanted %q", errGarbled, i, r.ID, jobs[i].ID)
		}
	}
	return answer.Results, nil
}

// permanent tells errors that another try cannot cure: the probe ran and gave
// up, the API server refused, or the time is over.
func permanent(err error) bool {
	var exit utilexec.ExitError
	return errors.As(err, &exit) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}
