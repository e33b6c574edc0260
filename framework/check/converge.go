// SPDX-License-Identifier: Apache-2.0

package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// measureTries is how often an attempt that could measure nothing is repeated.
const measureTries = 3

// converge makes attempts until the check has an outcome: enough passes in a
// row, a failing attempt with no time left for another, or one that another
// attempt would hardly change. It is false when ctx ended first.
func (r *Runner) converge(ctx context.Context, c Check, b blocks) (Result, bool) {
	started := time.Now()
	limit := r.atPace(c, cmp.Or(c.Converge, r.opts.Timeouts.Converge))
	hasty := r.opts.Hasty != nil && r.opts.Hasty(c.ID)
	pause := limit / 100
	passes := 0
	for n := 1; ; n++ {
		begun := time.Now()
		a := &attempt{runner: r, check: c, ctx: ctx}
		o := a.make(b)
		// Of the nodes that are not blocked.
		measured := o.outcome(false)
		passed := measured == Passed
		if ctx.Err() != nil && !passed {
			a.close()
			return interrupted(ctx, c), false
		}
		res := a.result(o, b)
		res.Started, res.Duration = started, time.Since(started)
		if !a.blocked {
			res.Attempts = n
		}

		final := o.defect || a.blocked || measured == NotApplied
		if passed {
			passes++
			// Passes in a row may go on beyond limit: that way the last attempt
			// always decides.
			final = final || passes >= c.Successes
		} else {
			passes = 0
			// An attempt cut by limit would tell less than this one did; yet one
			// alone may only have come too early, as one does that waited for
			// what is still being programmed. And what cannot be measured seldom
			// can a little later: no probe on a node is no probe half a minute on.
			once := n == 1 && c.Converge == 0
			final = final || hasty || !once && res.Duration+pause+time.Since(begun) > limit || res.Outcome == Unknown && n >= measureTries
		}
		if final {
			r.conclude(a, res)
			return res, true
		}
		a.close()
		if passed {
			continue
		}
		if n == 1 {
			more := "once more"
			if left := limit - res.Duration; left >= time.Second {
				more = fmt.Sprintf("again for %.0f s at most", left.Seconds())
			}
			r.log("%s: %s so far: %s; trying %s", c.ID, res.Outcome, res.Reason, more)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return interrupted(ctx, c), false
		}
		pause = min(2*pause, limit/20)
	}
}

// conclude lets evidence be taken of a failure and removes what is left.
func (r *Runner) conclude(a *attempt, res Result) {
	defer a.close()
	if res.Outcome == Failed && r.opts.OnFailure != nil {
		r.opts.OnFailure(a.ctx, a.check, res)
	}
}

// make prepares the attempt and makes it, on the nodes that b leaves.
func (a *attempt) make(b blocks) observation {
	timeouts := a.runner.opts.Timeouts
	limit := a.runner.atPace(a.check, cmp.Or(a.check.Attempt, min(timeouts.Attempt, cmp.Or(a.check.Converge, timeouts.Attempt))))
	ctx, cancel := context.WithTimeout(a.ctx, limit)
	defer cancel()
	env, err := a.runner.opts.Env(ctx, a.check)
	for _, node := range env.Nodes {
		a.scope = append(a.scope, node.Name)
	}
	free := b.free(env.Nodes)
	switch {
	case len(free) == 0 && b.sentence(a.scope) != "":
		a.blocked = true
		return observation{}
	case err != nil:
		return observe(&Inconclusive{Why: "prepare the attempt", Err: err}, "")
	}
	env.Nodes = free
	return a.run(ctx, env, limit)
}

// result says what the attempt came to, with the blocked nodes among the rest.
func (a *attempt) result(o observation, b blocks) Result {
	blocked := b.nodeResults(a.scope)
	free := slices.DeleteFunc(slices.Clone(a.scope), func(node string) bool { return b.by(node) != "" })
	sentence := b.sentence(a.scope)
	res := Result{
		ID: a.check.ID, Title: a.check.Title, Area: a.check.Area(), Level: a.check.Level,
		Outcome:      o.outcome(sentence != ""),
		Reason:       o.reason(sentence),
		Failures:     o.failures,
		Measurements: a.taken(),
	}
	if res.Outcome == Unknown {
		res.BlockedBy = b.first(a.scope)
	}
	judged := o.nodes(free)
	for _, node := range a.scope {
		if n, ok := blocked[node]; ok {
			res.Nodes = append(res.Nodes, n)
			continue
		}
		res.Nodes = append(res.Nodes, judged[0])
		judged = judged[1:]
	}
	applies := func(n NodeResult) bool { return n.Outcome != NotApplied }
	if res.Outcome == Passed && len(res.Nodes) > 0 && !slices.ContainsFunc(res.Nodes, applies) {
		res.Outcome, res.Reason = NotApplied, res.Nodes[0].Reason
	}
	// Nodes that a failure named beyond those it was to judge come last.
	for _, n := range judged {
		if !slices.Contains(a.scope, n.Node) {
			res.Nodes = append(res.Nodes, n)
		}
	}
	return res
}

// interrupted is the result of a check that ctx ended.
func interrupted(ctx context.Context, c Check) Result {
	return Result{
		ID: c.ID, Title: c.Title, Area: c.Area(), Level: c.Level,
		Outcome: Unknown,
		Reason:  fmt.Sprintf("interrupted: %v", context.Cause(ctx)),
		Started: time.Now(),
	}
}

// pace is what attempts and convergence are longer by. What is written on a node or
// in the API is there or not, however slow the cluster.
func (r *Runner) pace(c Check) float64 {
	if r.opts.Pace == nil || c.NoProbes {
		return 1
	}
	return r.opts.Pace()
}

func (r *Runner) atPace(c Check, d time.Duration) time.Duration {
	return time.Duration(float64(d) * r.pace(c))
}
