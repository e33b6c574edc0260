// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/config"
)

// tries is how often a batch is handed to a pod while the transport fails.
const tries = 3

// between is the wait after the first failed try; it doubles.
const between = 200 * time.Millisecond

// command is the probe in its image.
var command = []string{"/probe", "run"}

// errGarbled is an exec that ended well and yet lost the probe's answer.
var errGarbled = errors.New("no usable answer")

// Exec is the Runner over the API server's exec: one exec per pod for a whole
// batch. Safe for concurrent use.
type Exec struct {
	stream   stream
	timeouts config.Timeouts
}

// stream runs the probe in a pod with stdin and returns what it wrote.
type stream func(ctx context.Context, pod Pod, stdin []byte) (stdout, stderr []byte, err error)

// NewExec returns an Exec over the API server of config. Of timeouts it uses
// ProbeJob, for jobs that name no timeout, and Exec.
func NewExec(config *rest.Config, timeouts config.Timeouts) *Exec {
	return &Exec{stream: remote{config}.stream, timeouts: timeouts}
}

// Run hands the jobs to the pod's probe and returns one result per job, in
// their order. One exec may take as long as the jobs may (job.Batch.Bound) and
// Timeouts.Exec beyond. An error means that nothing was measured: the exec
// failed, again after more tries, or its output was no answer.
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
	stdin, err := json.Marshal(batch)
	if err != nil {
		return nil, fmt.Errorf("encode %d probe jobs: %w", len(jobs), err)
	}
	start, wait := time.Now(), between
	for try := 1; ; try++ {
		results, err := e.once(ctx, pod, batch, stdin)
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

// once is one exec.
func (e *Exec) once(ctx context.Context, pod Pod, batch job.Batch, stdin []byte) ([]job.Result, error) {
	bound := batch.Bound() + e.timeouts.Exec
	ctx, stop := context.WithTimeoutCause(ctx, bound, fmt.Errorf("no answer within %s: %w", bound, context.DeadlineExceeded))
	defer stop()
	stdout, stderr, err := e.stream(ctx, pod, stdin)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, said(err, stderr)
	}
	results, err := parse(stdout, batch.Jobs)
	return results, said(err, stderr)
}

// parse reads the probe's answer to jobs.
func parse(stdout []byte, jobs []job.Job) ([]job.Result, error) {
	if len(bytes.TrimSpace(stdout)) == 0 {
		return nil, fmt.Errorf("%w: the probe wrote nothing", errGarbled)
	}
	var answer job.Answer
	if err := json.Unmarshal(stdout, &answer); err != nil {
		return nil, fmt.Errorf("%w: %w in %.200q", errGarbled, err, stdout)
	}
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

// said adds what the probe wrote to stderr.
func said(err error, stderr []byte) error {
	stderr = bytes.TrimSpace(stderr)
	if err == nil || len(stderr) == 0 {
		return err
	}
	return fmt.Errorf("%w (stderr: %.500q)", err, stderr)
}

// permanent tells errors that another try cannot cure: the probe ran and gave
// up, the API server refused, or the time is over.
func permanent(err error) bool {
	var exit utilexec.ExitError
	return errors.As(err, &exit) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}
