// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
)

// Request is one failure to gather evidence of.
type Request struct {
	Cluster *cluster.Cluster
	Subject Subject
	// Dir is the bundle's directory, made if it is not there; its parent is
	// the run's (see Limits.Run).
	Dir   string
	RunID string
	// Check is the ID of the failed check; empty when a run could not start.
	Check string
	// Collectors are those wanted beside the ones every failure gets.
	Collectors []string
	// Shelf is what the run's bundles share; nil shares nothing. Of it is taken
	// what was collected at Fresh or later: from when on the check failed.
	Shelf  *Shelf
	Fresh  time.Time
	Limits Limits
	// Timeouts bound commands, requests and collectors; the zero value means
	// config.DefaultTimeouts.
	Timeouts config.Timeouts
}

const (
	parallelNodes = 8 // asked at the same time
	parallelExecs = 4 // on one node at the same time
)

// Collect fills r.Dir with the evidence of one failure, from all nodes of the
// subject in parallel, and returns its manifest, which is also in the
// directory. It returns when ctx ends, with what was had by then. What could
// not be had is in the manifest and no error; an error means that files could
// not be written or that a collector has a mistake. Safe for concurrent use with
// different directories.
func Collect(ctx context.Context, r Request) (Manifest, error) {
	r.Limits = r.Limits.orDefault()
	if r.Timeouts == (config.Timeouts{}) {
		r.Timeouts = config.DefaultTimeouts()
	}
	if r.Subject.Since.IsZero() {
		r.Subject.Since = time.Now()
	}
	r.Subject = placed(r.Subject, r.Cluster)
	b, err := newBundle(r)
	if err != nil {
		return Manifest{}, err
	}
	run := &collection{Request: r, bundle: b}
	collectors, unknown := wanted(r.Collectors)
	for _, name := range unknown {
		b.problem(fmt.Errorf("collect %s: there is no such collector", name))
	}
	collectors = slices.DeleteFunc(collectors, run.skip)
	var running sync.WaitGroup
	for _, col := range collectors {
		if col.Once == nil {
			continue
		}
		running.Go(func() {
			run.guard(ctx, run.writer(col.Name, ""), func(ctx context.Context, w *Writer) error {
				return col.Once(ctx, r.Cluster, r.Subject, w)
			})
		})
	}
	slots := make(chan struct{}, parallelNodes)
	for _, node := range r.Subject.all() {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			run.onNode(ctx, node, collectors)
		})
	}
	running.Wait()
	run.compare()
	return b.close()
}

// collection is one Collect under way.
type collection struct {
	Request
	bundle *bundle
}

func (run *collection) writer(collector, node string) *Writer {
	return &Writer{bundle: run.bundle, collector: collector, node: node, timeouts: run.Timeouts, since: run.Subject.Since.Add(-run.Limits.Margin)}
}

// skip tells whether a collector is about another CNI than the cluster's, and
// says so in the manifest.
func (run *collection) skip(col Collector) bool {
	kind := run.Cluster.CNI.Kind
	if col.CNI == "" || kind == "" || kind == "unknown" || kind == col.CNI {
		return false
	}
	w := run.writer(col.Name, "")
	for _, step := range col.Steps {
		w.fail(w.begin(step.Command), fmt.Errorf("not asked: the cluster's CNI is %s", kind))
	}
	return true
}

// onNode runs the node collectors on one node, each for itself.
func (run *collection) onNode(ctx context.Context, node string, collectors []Collector) {
	execs := make(chan struct{}, parallelExecs)
	silent := run.writer(nodeAccess.Name, node).greet(ctx, run.Cluster)
	if silent != nil {
		run.secondBest(ctx, node, collectors, silent)
		return
	}
	var running sync.WaitGroup
	runtime := &runtimeAnswers{}
	for _, col := range collectors {
		if col.PerNode == nil || col.Name == nodeAccess.Name {
			continue
		}
		w := run.writer(col.Name, node)
		w.slots, w.runtime = execs, runtime
		running.Go(func() {
			run.shared(ctx, w, func() {
				run.guard(ctx, w, func(ctx context.Context, w *Writer) error {
					return col.PerNode(ctx, run.Cluster, node, w)
				})
			})
		})
	}
	running.Wait()
}

// guard runs a collector within its time, whatever it does, and leaves the
// manifest on disk up to date.
func (run *collection) guard(ctx context.Context, w *Writer, gather func(context.Context, *Writer) error) {
	ctx, cancel := context.WithTimeout(ctx, run.Timeouts.Collector)
	defer cancel()
	item := w.begin("collector " + w.collector)
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("the collector has a mistake: %v", p)
			}
		}()
		done <- gather(ctx, w)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		// What obeys ctx is about to return and to record what it has.
		grace := time.NewTimer(run.Timeouts.NodeCommand / 5)
		defer grace.Stop()
		select {
		case err = <-done:
		case <-grace.C:
			err = fmt.Errorf("still running after %.1f s: %w", time.Since(item.Started).Seconds(), context.Cause(ctx))
		}
	}
	if err != nil {
		w.fail(item, err)
	}
	w.done.Store(true)
	if err := run.bundle.write(); err != nil {
		run.bundle.problem(err)
	}
}
