// SPDX-License-Identifier: Apache-2.0

package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/cniproof/cniproof/framework/config"
)

// RunnerOptions are what a Runner needs.
type RunnerOptions struct {
	// Registry holds the checks; nil means Default.
	Registry *Registry
	// Dir is where the processes of one run share results; they are this
	// process's own when it is empty. It is made when it does not exist.
	Dir string
	// Ready waits until what the check needs of the run is there, before its
	// first attempt and without taking a place. May be nil.
	Ready func(ctx context.Context, c Check)
	// Env returns what an attempt of c gets, with all nodes in scope; the
	// runner leaves blocked ones out and fills in Record and Cleanup. It is
	// called before each attempt. An error makes the attempt inconclusive.
	Env func(ctx context.Context, c Check) (Env, error)
	// Timeouts bound attempts (Attempt), convergence (Converge) and cleanups
	// (Cleanup); the zero value means the defaults.
	Timeouts config.Timeouts
	// Pace is by how much the cluster is slower than Timeouts are meant for, at
	// least 1: attempts and convergence of the checks that ask probes get as much
	// longer, so that what is only late does not count as broken. Asked before each
	// attempt; nil is 1.
	Pace func() float64
	// OnFailure is called once for a check that failed, in the process that
	// ran it, while what its last attempt made is still there. It bounds
	// itself. May be nil.
	OnFailure func(ctx context.Context, c Check, r Result)
	// AtOnce is how many checks run at the same time when more are asked for,
	// and once more as many of those that wait; 0 is one. It bounds what this
	// process does to the API server and the nodes.
	AtOnce int
	// Hasty tells of which checks the first attempt decides; nil is of none.
	Hasty func(id string) bool
	// Started and Ended are called for each check this process runs, before its
	// first attempt and with what came of it, from any goroutine. May be nil.
	Started func(c Check)
	Ended   func(r Result)
	// Log takes lines for people who watch; nil drops them.
	Log func(format string, args ...any)
}

// Runner runs checks, prerequisites first, each once per run. It is safe for
// concurrent use by goroutines, and by processes that share Dir.
type Runner struct {
	opts  RunnerOptions
	store *store
	// places has room for the checks that may run at once, waiting for those that
	// only wait.
	places, waiting *places
	// turns tell which check gets a place first: those that wait, since they take
	// longest, and at last those that NeedsFixtures says are for when the probes go.
	// What a check requires has its turn.
	turns map[string]turn
	// held is closed when those of the last turn may begin; nil is now.
	held chan struct{}
	mu   sync.Mutex // for held
	// running is held for reading while a check runs, so that Forget can wait.
	running sync.RWMutex
}

// NewRunner returns a Runner. It fails on a registry that is not valid and on a
// Dir that cannot be made.
func NewRunner(opts RunnerOptions) (*Runner, error) {
	opts.Registry = cmp.Or(opts.Registry, Default)
	opts.Timeouts = cmp.Or(opts.Timeouts, config.DefaultTimeouts())
	if err := opts.Registry.Validate(); err != nil {
		return nil, err
	}
	store, err := newStore(opts.Dir)
	if err != nil {
		return nil, err
	}
	r := &Runner{opts: opts, store: store, places: &places{free: max(opts.AtOnce, 1)}, turns: map[string]turn{}}
	if r.waiting = r.places; opts.AtOnce > 1 {
		r.waiting = &places{free: opts.AtOnce}
	}
	for _, c := range slices.Backward(opts.Registry.Checks()) {
		own := usual
		switch {
		case c.Waits:
			own = urgent
		case !c.NeedsFixtures():
			own = last
		}
		if of, required := r.turns[c.ID]; required {
			own = min(own, of)
		}
		r.turns[c.ID] = own
		for _, id := range c.Requires {
			if of, known := r.turns[id]; !known || own < of {
				r.turns[id] = own
			}
		}
	}
	return r, nil
}

// Result returns what became of the check, running it (and first what it
// requires) when nobody in this run has. The error is about the harness: an
// unknown ID, a Dir that cannot be used. When ctx ends first the Result is
// inconclusive, "interrupted", and is not kept: a later call runs the check
// again.
func (r *Runner) Result(ctx context.Context, id string) (Result, error) {
	r.running.RLock()
	defer r.running.RUnlock()
	return r.result(ctx, id)
}

func (r *Runner) result(ctx context.Context, id string) (Result, error) {
	c, ok := r.opts.Registry.Lookup(id)
	if !ok {
		return Result{}, fmt.Errorf("run check %q: no such check is registered", id)
	}
	if res, ok, err := r.store.get(id); ok || err != nil {
		return res, err
	}
	// Prerequisites come before the lock: nobody waits for a lock holding one.
	blocks, err := r.prerequisites(ctx, c)
	if err != nil {
		return Result{}, err
	}
	unlock, err := r.store.lock(ctx, id)
	if ctx.Err() != nil {
		if err == nil {
			unlock()
		}
		return interrupted(ctx, c), nil
	}
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if res, ok, err := r.store.get(id); ok || err != nil {
		return res, err
	}
	if r.turns[id] == last && r.await(ctx) != nil {
		return interrupted(ctx, c), nil
	}
	// The place comes last: who holds one waits for nobody.
	if r.opts.Ready != nil {
		r.opts.Ready(ctx, c)
	}
	places := r.places
	if c.Waits {
		places = r.waiting
	}
	if places.take(ctx, r.turns[id]) != nil {
		return interrupted(ctx, c), nil
	}
	defer places.give()
	res, done := r.run(ctx, c, blocks)
	if !done {
		return res, nil
	}
	return res, r.store.put(res)
}

// run is one check, watched.
func (r *Runner) run(ctx context.Context, c Check, b blocks) (Result, bool) {
	if r.opts.Started != nil {
		r.opts.Started(c)
	}
	res, done := r.converge(ctx, c, b)
	if r.opts.Ended != nil {
		r.opts.Ended(res)
	}
	return res, done
}

// Ahead begins to run the checks with these IDs, AtOnce at the same time, so
// that a Result asked for later is there, or is waited for. Those that need no
// fixtures and that nothing else waits for begin when all others ended, or one of
// them did not pass: what is well is left to be told while the fixtures go. The
// function it returns waits until each ended or ctx did. It is called once at a time.
func (r *Runner) Ahead(ctx context.Context, ids []string) (wait func()) {
	held := make(chan struct{})
	begin := sync.OnceFunc(func() { close(held) })
	r.mu.Lock()
	r.held = held
	r.mu.Unlock()
	var all, others sync.WaitGroup
	for _, id := range ids {
		if r.turns[id] == last {
			// What it returns is for those who ask for it.
			all.Go(func() { _, _ = r.Result(ctx, id) })
			continue
		}
		others.Go(func() {
			if res, err := r.Result(ctx, id); err != nil || res.Outcome != Passed && res.Outcome != NotApplied {
				begin()
			}
		})
	}
	all.Go(func() {
		others.Wait()
		begin()
	})
	return all.Wait
}

// await waits until checks of the last turn may begin.
func (r *Runner) await(ctx context.Context) error {
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// prerequisites runs what c requires and returns what that blocks.
func (r *Runner) prerequisites(ctx context.Context, c Check) (blocks, error) {
	b := blocks{nodes: map[string]string{}}
	for _, id := range c.Requires {
		res, err := r.result(ctx, id)
		if err != nil {
			return b, fmt.Errorf("%s requires %w", c.ID, err)
		}
		if ctx.Err() != nil {
			return b, nil
		}
		b.add(res)
	}
	return b, nil
}

// Results returns the results that exist, of all processes, in the order of
// the registry.
func (r *Runner) Results() ([]Result, error) {
	var results []Result
	for _, c := range r.opts.Registry.Checks() {
		res, ok, err := r.store.get(c.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			results = append(results, res)
		}
	}
	return results, nil
}

// Forget drops the results of all checks but these, so that they run again, e.g. after
// a fault was injected. It waits for the checks that this process is running; processes
// that share Dir do not learn of it.
func (r *Runner) Forget(but ...string) error {
	r.running.Lock()
	defer r.running.Unlock()
	var ids []string
	for _, c := range r.opts.Registry.Checks() {
		if !slices.Contains(but, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return r.store.forget(ids)
}

func (r *Runner) log(format string, args ...any) {
	if r.opts.Log != nil {
		r.opts.Log(format, args...)
	}
}
