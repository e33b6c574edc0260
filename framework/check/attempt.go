// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// attempt is one Run of a check: what it recorded and what it left to remove.
type attempt struct {
	runner *Runner
	check  Check
	// ctx is the caller's; cleanups outlive it.
	ctx context.Context
	// scope are the nodes in scope; blocked tells that none was left to run on.
	scope   []string
	blocked bool

	mu           sync.Mutex
	over         bool
	measurements []Measurement
	removals     []removal
}

type removal struct {
	what   string
	remove func(ctx context.Context) error
}

// defect is a mistake of the check: it says nothing about the network.
type defect struct{ what string }

func (d *defect) Error() string {
	return d.what + "; this is a bug of the harness"
}

// run calls Run, whose ctx ends after limit. Run has a goroutine of its own, so
// that a check that does not heed ctx cannot hold up everything else.
func (a *attempt) run(ctx context.Context, env Env, limit time.Duration) observation {
	env.Record = a.record
	env.Cleanup = a.cleanup
	env.Figures = a.figures
	env.Timeouts = a.runner.opts.Timeouts.Stretched(a.runner.pace(a.check))
	ended := make(chan error, 1)
	go func() {
		err := error(&defect{"the check ended its goroutine"})
		defer func() {
			if p := recover(); p != nil {
				a.runner.log("check %s panicked: %v\n%s", a.check.ID, p, debug.Stack())
				err = &defect{fmt.Sprintf("the check panicked: %v", p)}
			}
			ended <- err
		}()
		err = a.check.Run(ctx, &env)
	}()

	select {
	case err := <-ended:
		return observe(err, lateness(ctx, limit))
	case <-ctx.Done():
	}
	// A request in flight ends with ctx; one request's bound is ample for that.
	grace := time.NewTimer(a.runner.opts.Timeouts.APIRequest)
	defer grace.Stop()
	select {
	case err := <-ended:
		return observe(err, lateness(ctx, limit))
	case <-grace.C:
		return observe(&defect{fmt.Sprintf("the check did not end when its %s were over", limit)}, "")
	}
}

// lateness is the sentence for an attempt that was cut, empty for one that
// was not.
func lateness(ctx context.Context, limit time.Duration) string {
	if ctx.Err() == nil {
		return ""
	}
	return fmt.Sprintf("the attempt did not end within %s", limit)
}

// figures are those of a check that ran before this one; none where it did not.
func (a *attempt) figures(id string) []Measurement {
	res, _, err := a.runner.store.get(id)
	if err != nil {
		a.runner.log("check %s: figures of %s: %v", a.check.ID, id, err)
	}
	return res.Measurements
}

func (a *attempt) record(m Measurement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.measurements = append(a.measurements, m)
	}
}

func (a *attempt) cleanup(what string, remove func(ctx context.Context) error) {
	r := removal{what, remove}
	a.mu.Lock()
	over := a.over
	if !over {
		a.removals = append(a.removals, r)
	}
	a.mu.Unlock()
	// Only a Run that outlived its attempt comes here late.
	if over {
		a.undo(r)
	}
}

// taken returns the figures and takes no more.
func (a *attempt) taken() []Measurement {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.measurements[:len(a.measurements):len(a.measurements)]
}

// close removes what the attempt made, last made first removed.
func (a *attempt) close() {
	a.mu.Lock()
	a.over = true
	removals := a.removals
	a.mu.Unlock()
	for i := len(removals) - 1; i >= 0; i-- {
		a.undo(removals[i])
	}
}

func (a *attempt) undo(r removal) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), a.runner.opts.Timeouts.Cleanup)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			a.runner.log("check %s: remove %s: panicked: %v\n%s", a.check.ID, r.what, p, debug.Stack())
		}
	}()
	if err := r.remove(ctx); err != nil {
		a.runner.log("check %s: remove %s: %v", a.check.ID, r.what, err)
	}
}
