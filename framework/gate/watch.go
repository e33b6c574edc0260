// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/monitor"
)

// Input is what a gate watches and does.
type Input struct {
	Cluster  *cluster.Cluster
	Options  *config.Options
	Monitors *monitor.Monitors
	// Dir takes upgrade.log.
	Dir string
	// Limit is how long the command may take.
	Limit time.Duration
	Log   io.Writer
}

// Watch runs the command with everything watched until the cluster has settled,
// and returns what was seen; the comparison is left to the caller. It returns what
// there is also when ctx ends.
func Watch(ctx context.Context, in Input) (*Result, error) {
	log, err := os.Create(filepath.Join(in.Dir, "upgrade.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r := &Result{Begin: time.Now()}
	diary := monitor.NewDiary(in.Cluster, r.Begin)
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { diary.Watch(watching) })
	watchers.Go(func() { monitor.WatchAPIServer(watching, in.Cluster.Client, diary) })
	watchers.Go(func() { in.Monitors.Follow(watching) })
	defer func() { stop(); watchers.Wait() }()
	fmt.Fprintf(in.Log, "running the upgrade command, for %s at most: %s\n", in.Limit.Round(time.Second), clean([]byte(in.Options.Gate.Command)))
	r.Command = run(ctx, in.Options.Gate.Command, in.Limit, in.Log, log)
	r.Command.Log = "upgrade.log"
	if why := r.Command.Failed(); why != "" {
		fmt.Fprintf(in.Log, "%s\n", why)
	}
	if ctx.Err() != nil {
		return r, errors.New("interrupted while the upgrade command ran; it was ended")
	}
	fmt.Fprintf(in.Log, "the command took %s; waiting for the cluster to settle\n", seconds(r.Command.End.Sub(r.Command.Begin)))
	r.Unsettled = settle(ctx, in.Cluster, in.Options.Timeouts)
	if r.Unsettled != "" {
		fmt.Fprintf(in.Log, "it has not settled: %s\n", r.Unsettled)
	}
	r.End = time.Now()
	stop()
	watchers.Wait()
	return r, r.collect(ctx, in, diary)
}

// collect fetches what monitors saw and what objects tell.
func (r *Result) collect(ctx context.Context, in Input, diary *monitor.Diary) error {
	if err := diary.Look(ctx); err != nil {
		r.Missing = append(r.Missing, "what happened to nodes and pods: "+err.Error())
	}
	samples, missing, err := in.Monitors.Collect(ctx)
	if err != nil {
		return fmt.Errorf("read what the monitors saw: %w", err)
	}
	r.Missing = append(r.Missing, missing...)
	r.Paths = Summarize(samples, r.Begin, r.End)
	r.Happenings = diary.Happenings()
	if c := r.Command; c != nil {
		r.Happenings = append(r.Happenings,
			monitor.Happening{At: c.Begin.UTC(), Until: c.End.UTC(), About: monitor.AboutCommand, What: "the command ran"})
	}
	return r.judge(in.Options)
}

// judge weighs what was seen.
func (r *Result) judge(o *config.Options) error {
	budget, err := ParseBudget(o.Gate.MaxDisruption)
	if err != nil {
		return err
	}
	r.ReportOnly, r.Strict = o.Gate.ReportOnly, o.Strict
	r.Spent = budget.spend(r.Paths)
	r.Reasons = Explain(r.Paths, r.Happenings, r.Command)
	return nil
}
