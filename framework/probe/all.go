// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/cniproof/cniproof/fixtures/probe/job"
)

// parallelPods is how many pods run batches at once: each costs the API server
// and a kubelet a stream.
const parallelPods = 16

// Task is a batch for one pod.
type Task struct {
	Pod  Pod
	Jobs []job.Job
}

// Done is a task and what became of it: one result per job, or the error that
// kept it from being measured.
type Done struct {
	Task
	Results []job.Result
	Err     error
}

// RunAll runs tasks in their pods, a bounded number at once, and returns one
// Done per task in their order. A pod that cannot be reached keeps none of the
// others from being measured. ctx bounds it all.
func RunAll(ctx context.Context, runner Runner, tasks []Task) []Done {
	done := make([]Done, len(tasks))
	var group errgroup.Group
	group.SetLimit(parallelPods)
	for i, task := range tasks {
		group.Go(func() error {
			results, err := runner.Run(ctx, task.Pod, task.Jobs)
			done[i] = Done{Task: task, Results: results, Err: err}
			return nil
		})
	}
	_ = group.Wait() // never fails: errors are in done
	return done
}
