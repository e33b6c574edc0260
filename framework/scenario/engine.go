// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/evidence"
	"github.com/cniproof/cniproof/framework/session"
)

// Outcome is what became of a scenario, as plain data.
type Outcome struct {
	Scenario string         `json:"scenario"`
	Node     string         `json:"node"`
	Expects  diagnosis.Code `json:"expects"`
	// FirstRed is the time from the end of Inject until the first check of
	// Breaks was red, AllRed until all were; zero when they never were.
	FirstRed time.Duration `json:"firstRedNanoseconds"`
	AllRed   time.Duration `json:"allRedNanoseconds"`
	// Red are the checks that failed, Unlisted those of them that neither
	// Breaks nor MayBreak lists.
	Red      []string `json:"red"`
	Unlisted []string `json:"unlisted,omitempty"`
	// Narrow tells that only Breaks were looked at.
	Narrow bool `json:"narrow,omitempty"`
	// Named is the top finding and Confidence its own.
	Named      diagnosis.Code `json:"named"`
	Confidence float64        `json:"confidence"`
	// Steps are the steps of the evidence of the first check of Breaks: how many
	// were collected of how many there are.
	Steps      int `json:"steps"`
	StepsTotal int `json:"stepsTotal"`
	// Healed tells that all checks passed again, after RecoveredIn.
	Healed      bool          `json:"healed"`
	RecoveredIn time.Duration `json:"recoveredInNanoseconds"`
	// Took is all of it, and Problem what did not hold, empty when all did.
	Took    time.Duration `json:"tookNanoseconds"`
	Problem string        `json:"problem,omitempty"`
	// Broken is the folder with the results and evidence of the broken cluster,
	// relative to the run's.
	Broken string `json:"broken"`
}

// Round is one look at the cluster, as session.Round takes it.
type Round interface {
	Check(ctx context.Context, id string) (check.Result, error)
	// Ahead begins to run checks, several at once; wait waits for their end.
	Ahead(ctx context.Context, ids []string) (wait func())
	// Again has all checks but these run once more when asked for.
	Again(but []string) error
	Bundles() (map[string]session.Bundle, error)
}

// Engine runs scenarios on one cluster, one at a time.
type Engine struct {
	Cluster *cluster.Cluster
	// Checks are those that tell whether the cluster is healthy, in run order.
	Checks []check.Check
	// Look starts a new round whose files go to the folder name. Failures of the
	// checks in investigated get evidence; nil is all. When it is hasty, the first
	// attempt decides the others.
	Look     func(name string, investigated []string, hasty bool) (Round, error)
	Timeouts config.Timeouts
	// Quick leaves the checks that mostly wait (check.Check.Waits) out of the look
	// at what should not have broken, where Breaks does not name them, and has the
	// first attempt decide the others: what is red then is looked at again.
	Quick bool
	// Narrow leaves all checks out of that look that Breaks does not name, and then
	// out of the one after the heal. Finish has them all.
	Narrow bool
	// Keep leaves the fault in place for people to look at; HealLeftover heals it.
	Keep bool
	// Log takes one line per step.
	Log func(format string, args ...any)

	// healthy is set while the last look found nothing wrong and no fault was
	// made since: the look after one scenario is the look before the next.
	healthy bool
	// suspects are the checks that did not pass while the last fault was there:
	// those that have to pass again. nil is all.
	suspects []string
}

// On is the engine for an open session; Log is left to set.
func On(s *session.Session) *Engine {
	return &Engine{
		Cluster: s.Cluster, Checks: s.Selected(), Timeouts: s.Options.Timeouts,
		Look: func(name string, investigated []string, hasty bool) (Round, error) {
			round, err := s.Round(name)
			if err == nil {
				round.Investigated, round.Hasty = investigated, hasty
			}
			return round, err
		},
	}
}

// Run runs one scenario: checks pass, Inject, Breaks are red and nothing else
// is, Expects is the top finding, Heal, and every check that did not pass passes
// again. The error says which of these did not hold; the Outcome is filled in as
// far as it came. Heal happens whatever the error, and when ctx ends.
func (e *Engine) Run(ctx context.Context, s Scenario) (Outcome, error) {
	start := time.Now()
	out, err := e.run(ctx, s)
	if out.Took = time.Since(start); err != nil {
		out.Problem = err.Error()
	}
	return out, err
}

func (e *Engine) run(ctx context.Context, s Scenario) (Outcome, error) {
	out := Outcome{Scenario: s.Name, Expects: s.Expects, Narrow: e.Narrow}
	target, err := target(e.Cluster, s)
	if err != nil {
		return out, err
	}
	out.Node = target.Node
	e.Log("%s: %s", s.Name, s.Title)

	if !e.healthy {
		if err := e.Begin(ctx, s.Name, e.All()); err != nil {
			return out, err
		}
	}
	e.Log("healthy before: every required check passes")
	e.healthy, e.suspects = false, nil

	note := record{Scenario: s.Name, Cluster: e.Cluster.Name, Node: target.Node, Injected: time.Now()}
	if err := note.write(); err != nil {
		return out, fmt.Errorf("write down the fault before making it: %w", err)
	}
	brokenErr := e.breakIt(ctx, s, target, &out)
	if brokenErr != nil {
		e.Log("FAILED: %v", brokenErr)
	}
	if e.Keep {
		return out, brokenErr
	}
	healErr := e.heal(ctx, s, target, &out)
	if healErr == nil {
		healErr = note.remove()
	}
	return out, errors.Join(brokenErr, healErr)
}

// breakIt injects and watches the checks.
func (e *Engine) breakIt(ctx context.Context, s Scenario, target Target, out *Outcome) error {
	timeouts := e.Timeouts
	injectCtx, cancel := context.WithTimeout(ctx, timeouts.Inject)
	defer cancel()
	if err := s.Inject(injectCtx, target); err != nil {
		return fmt.Errorf("inject %s on %s: %w", s.Name, target.Node, err)
	}
	injected := time.Now()
	e.Log("injected on %s", target.Node)
	if s.Look != nil {
		for _, command := range s.Look(target) {
			e.Log("  look: %s", command)
		}
	}
	breakCtx, cancel := context.WithTimeout(ctx, timeouts.Break)
	defer cancel()
	round, err := e.untilRed(breakCtx, s, injected, out)
	if err != nil {
		return err
	}
	judgeCtx, cancel := context.WithTimeout(ctx, timeouts.Break)
	defer cancel()
	return e.judge(judgeCtx, s, round, out)
}

// lookEvery keeps checks that answer at once from asking the API server without
// end.
const lookEvery = time.Second

// untilRed looks at the checks of Breaks until every one is red: those that are keep
// what was seen and taken then, the others are looked at again.
func (e *Engine) untilRed(ctx context.Context, s Scenario, injected time.Time, out *Outcome) (Round, error) {
	out.Broken = path.Join(s.Name, "broken")
	round, err := e.Look(out.Broken, s.Breaks, e.Quick)
	if err != nil {
		return nil, err
	}
	var red, before []string
	for {
		var green []string
		wait := round.Ahead(ctx, s.Breaks)
		for _, id := range s.Breaks {
			if slices.Contains(red, id) {
				continue
			}
			result, err := round.Check(ctx, id)
			if err != nil {
				return nil, err
			}
			if result.Outcome != check.Failed {
				green = append(green, fmt.Sprintf("%s is %s", id, result.Outcome))
				continue
			}
			red = append(red, id)
			if out.FirstRed == 0 {
				out.FirstRed = time.Since(injected)
			}
			e.Log("red after %.1f s: %s: %s", time.Since(injected).Seconds(), id, result.Reason)
		}
		wait()
		if ctx.Err() != nil && len(green) > 0 && before != nil {
			green = before // this look was cut short
		}
		if len(green) == 0 {
			out.AllRed = time.Since(injected)
			return round, nil
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done(): // what was seen stays
			return nil, fmt.Errorf("missed: %s after %.0f s", strings.Join(green, ", "), time.Since(injected).Seconds())
		}
		before = green
		if err := round.Again(red); err != nil {
			return nil, err
		}
	}
}

// judge runs the checks that should not break, and reads the diagnosis of
// those that did.
func (e *Engine) judge(ctx context.Context, s Scenario, round Round, out *Outcome) error {
	results, err := all(ctx, round, e.looked(s))
	if err != nil {
		return err
	}
	suspects := slices.Clone(s.Breaks)
	var unlisted []string
	for _, result := range results {
		// What only waits for another check shows nothing of its own; Finish looks at it.
		waits := e.Quick && result.Outcome == check.Unknown && result.BlockedBy != ""
		if result.Outcome != check.Passed && result.Outcome != check.NotApplied && !waits && !slices.Contains(suspects, result.ID) {
			suspects = append(suspects, result.ID)
		}
		if result.Outcome == check.Failed {
			out.Red = append(out.Red, result.ID)
			if !s.breaks(result) {
				unlisted = append(unlisted, result.ID)
			}
		}
	}
	if ctx.Err() == nil {
		e.suspects = suspects
	}
	if err := e.confirm(ctx, unlisted, out); err != nil {
		return err
	}
	bundles, err := round.Bundles()
	if err != nil {
		return err
	}
	for _, item := range bundles[s.Breaks[0]].Manifest.Items {
		if out.StepsTotal++; item.Status == evidence.Collected {
			out.Steps++
		}
	}
	var errs []error
	for _, id := range s.Breaks {
		var top diagnosis.Finding
		if findings := bundles[id].Diagnosis.Findings; len(findings) > 0 {
			top = findings[0]
		}
		if top.Code != s.Expects {
			errs = append(errs, fmt.Errorf("misnamed: the evidence of %s says %q, want %s", id, top.Code, s.Expects))
		}
		if out.Named == "" || out.Named == s.Expects {
			out.Named, out.Confidence = top.Code, top.Confidence
		}
		e.Log("named: %s by %s (confidence %.2f): %s", top.Code, id, top.Confidence, top.Title)
		for _, q := range top.Evidence[:min(len(top.Evidence), 2)] {
			e.Log("  %s:%d: %s", q.File, q.Line, q.Text)
		}
	}
	if len(out.Unlisted) > 0 {
		errs = append(errs, fmt.Errorf("red and not listed in Breaks or MayBreak: %s", strings.Join(out.Unlisted, ", ")))
	}
	return errors.Join(errs...)
}

// heal undoes the fault, also after ctx ended, and verifies it while ctx lasts.
func (e *Engine) heal(ctx context.Context, s Scenario, target Target, out *Outcome) error {
	healCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.Timeouts.Heal)
	defer cancel()
	if err := s.Heal(healCtx, target); err != nil {
		return fmt.Errorf("heal %s on %s: %w", s.Name, target.Node, err)
	}
	suspects := e.suspects
	if suspects == nil {
		suspects = e.All()
	}
	took, err := e.recover(ctx, s, "after", suspects)
	if ctx.Err() != nil {
		e.Log("healed; not verified, for the interrupt")
		return nil
	}
	if err != nil {
		return fmt.Errorf("not healed: %w", err)
	}
	e.healthy, out.Healed, out.RecoveredIn = true, true, took
	e.Log("healed: each of the %d checks that did not pass does again, %.1f s after the heal", len(suspects), took.Seconds())
	return nil
}

// Begin looks at these checks before the first fault; Run looks at all where nobody did.
// The results go to the folder name.
func (e *Engine) Begin(ctx context.Context, name string, ids []string) error {
	if _, err := e.recover(ctx, Scenario{Name: name}, "before", ids); err != nil {
		return fmt.Errorf("the cluster is not healthy before the fault: %w", err)
	}
	e.healthy = true
	return nil
}

// Finish looks at all checks once more, since after each scenario only those
// were that it had broken. The results go to the folder name.
func (e *Engine) Finish(ctx context.Context, name string) error {
	e.Log("looking at every check once more")
	if _, err := e.recover(ctx, Scenario{Name: name}, "after", e.All()); err != nil {
		return fmt.Errorf("something is left of the faults: %w", err)
	}
	return nil
}
