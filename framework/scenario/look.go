// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/session"
)

// confirm looks once more at checks that are red and should not be: the first
// look may have come while the cluster still followed the fault. These get
// evidence.
func (e *Engine) confirm(ctx context.Context, ids []string, out *Outcome) error {
	if len(ids) == 0 {
		return nil
	}
	round, err := e.Look(path.Join(out.Scenario, "unlisted"), ids, false)
	if err != nil {
		return err
	}
	results, err := all(ctx, round, ids)
	for _, result := range results {
		if result.Outcome == check.Failed {
			out.Unlisted = append(out.Unlisted, result.ID)
			e.Log("red and not listed: %s: %s", result.ID, result.Reason)
		}
	}
	return err
}

// recover waits until those of the checks that are required pass. Timeouts.Recover
// bounds each look, and when the last may begin: on a slow machine the first may take
// most of it.
func (e *Engine) recover(ctx context.Context, s Scenario, when string, ids []string) (time.Duration, error) {
	start := time.Now()
	for try := 1; ; try++ {
		round, err := e.Look(path.Join(s.Name, fmt.Sprintf("%s-%d", when, try)), []string{}, false)
		if err != nil {
			return 0, err
		}
		bounded, cancel := context.WithTimeout(ctx, e.Timeouts.Recover)
		results, err := all(bounded, round, ids)
		cancel()
		if err != nil {
			return 0, err
		}
		problem := session.Verify(results)
		if problem == nil {
			return time.Since(start), nil
		}
		if ctx.Err() != nil || time.Since(start) > e.Timeouts.Recover {
			return 0, problem
		}
		e.Log("%s, look %d: %v", when, try, problem)
	}
}

// all are the results of these checks.
func all(ctx context.Context, round Round, ids []string) ([]check.Result, error) {
	defer round.Ahead(ctx, ids)()
	var results []check.Result
	for _, id := range ids {
		result, err := round.Check(ctx, id)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

// looked are the checks to look at while the fault is there.
func (e *Engine) looked(s Scenario) []string {
	if e.Narrow {
		return s.Breaks
	}
	var ids []string
	waits := map[string]bool{}   // itself, or for one that it requires
	for _, c := range e.Checks { // what a check requires comes before it
		// Where a pod gets its sandbox everything else stands on, and is looked at.
		waits[c.ID] = c.Waits && !c.NoProbes || slices.ContainsFunc(c.Requires, func(id string) bool { return waits[id] })
		if !e.Quick || !c.Waits && !waits[c.ID] || slices.Contains(s.Breaks, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// All are the IDs of all checks, in run order.
func (e *Engine) All() []string {
	ids := make([]string, len(e.Checks))
	for i, c := range e.Checks {
		ids[i] = c.ID
	}
	return ids
}
