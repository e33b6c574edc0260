// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cniproof/cniproof/framework/config"
)

// scripted makes a check whose attempts take a second each and answer in turn;
// the last answer is repeated.
func scripted(d *diary, answers ...error) Check {
	c := sample("pod.scripted")
	n := 0
	c.Run = func(ctx context.Context, env *Env) error {
		err := answers[min(n, len(answers)-1)]
		n++
		k := n
		d.write("attempt %d", k)
		env.Record(Measurement{Name: "attempt", Value: float64(k), Unit: "count"})
		for _, what := range []string{"pod", "service"} {
			env.Cleanup(what, func(ctx context.Context) error {
				if ctx.Err() != nil {
					d.write("cleanup without a context of its own")
				}
				d.write("remove %s of %d", what, k)
				return nil
			})
		}
		time.Sleep(time.Second)
		return err
	}
	return c
}

func TestConvergence(t *testing.T) {
	broken := pair("a", "")
	for name, test := range map[string]struct {
		edit     func(*Check)
		answers  []error
		outcome  Outcome
		attempts int
		most     time.Duration
	}{
		"at once":                     {answers: []error{nil}, outcome: Passed, attempts: 1, most: time.Second},
		"in the end":                  {answers: []error{broken, broken, nil}, outcome: Passed, attempts: 3, most: 5 * time.Second},
		"never":                       {answers: []error{broken}, outcome: Failed, attempts: 13, most: 30 * time.Second},
		"what was not measured":       {answers: []error{&Inconclusive{Why: "no exec"}, nil}, outcome: Passed, attempts: 2, most: 3 * time.Second},
		"what is never measured":      {answers: []error{&Inconclusive{Why: "no probe"}}, outcome: Unknown, attempts: measureTries, most: 5 * time.Second},
		"what does not apply":         {answers: []error{&NotApplicable{Lacks: "IPv6"}, nil}, outcome: NotApplied, attempts: 1, most: time.Second},
		"three in a row":              {func(c *Check) { c.Successes = 3 }, []error{nil, nil, broken, nil, nil, nil}, Passed, 6, 10 * time.Second},
		"never three in a row":        {func(c *Check) { c.Successes = 3; c.Converge = 3 * time.Second }, []error{nil, nil, broken}, Failed, 3, 4 * time.Second},
		"a row may outlast the limit": {func(c *Check) { c.Successes = 5; c.Converge = 3 * time.Second }, []error{broken, nil}, Passed, 6, 7 * time.Second},
		"no time for another":         {func(c *Check) { c.Converge = 1900 * time.Millisecond }, []error{broken}, Failed, 1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				c := scripted(&d, test.answers...)
				c.Converge = 30 * time.Second
				if test.edit != nil {
					test.edit(&c)
				}
				begun := time.Now()
				res := result(t, newRunner(t, RunnerOptions{}, c), c.ID)
				if res.Outcome != test.outcome || res.Attempts != test.attempts {
					t.Errorf("%s after %d attempts, want %s after %d", res.Outcome, res.Attempts, test.outcome, test.attempts)
				}
				if took := time.Since(begun); took > test.most || took != res.Duration {
					t.Errorf("took %s and says %s, want at most %s", took, res.Duration, test.most)
				}
				if m := res.Measurements; len(m) != 1 || m[0].Value != float64(test.attempts) {
					t.Errorf("measurements %v, want those of the last attempt", m)
				}
			})
		})
	}
}

// A slow cluster gets longer for what packets have to show, and none for what is
// written somewhere.
func TestConvergenceAtPace(t *testing.T) {
	for _, noProbes := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var d diary
			c := scripted(&d, pair("a", ""))
			c.Converge, c.NoProbes = 10*time.Second, noProbes
			res := result(t, newRunner(t, RunnerOptions{Pace: func() float64 { return 3 }}, c), c.ID)
			if slow := res.Duration > 20*time.Second; slow == noProbes || res.Outcome != Failed {
				t.Errorf("NoProbes %t: %s after %s", noProbes, res.Outcome, res.Duration)
			}
		})
	}
}

func TestCleanupWaitsForEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		c := scripted(&d, pair("a", ""))
		c.Converge = 3 * time.Second
		r := newRunner(t, RunnerOptions{OnFailure: func(_ context.Context, c Check, res Result) {
			d.write("evidence of %s: %s after %d", c.ID, res.Outcome, res.Attempts)
		}}, c)
		result(t, r, c.ID)
		result(t, r, c.ID)
		d.want(t,
			"attempt 1", "remove service of 1", "remove pod of 1",
			"attempt 2", "evidence of pod.scripted: failed after 2", "remove service of 2", "remove pod of 2")
	})
}

func TestCleanupHappensWhateverFails(t *testing.T) {
	var d diary
	c := sample("pod.messy")
	c.Converge = 1
	c.Run = func(ctx context.Context, env *Env) error {
		env.Cleanup("first", func(context.Context) error { d.write("first removed"); return nil })
		env.Cleanup("second", func(context.Context) error { return errors.New("gone wrong") })
		env.Cleanup("third", func(context.Context) error { panic("worse") })
		return pair("a", "")
	}
	r := newRunner(t, RunnerOptions{
		OnFailure: func(context.Context, Check, Result) { panic("the hook") },
		Log:       func(format string, args ...any) { d.write(strings.SplitN(format, "\n", 2)[0], args...) },
	}, c)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic of OnFailure was swallowed")
			}
		}()
		r.Result(t.Context(), c.ID)
	}()
	if got := strings.Join(d.lines, "\n"); !strings.Contains(got, "remove third: panicked: worse") ||
		!strings.Contains(got, "remove second: gone wrong") || !strings.HasSuffix(got, "first removed") {
		t.Errorf("what happened:\n%s", got)
	}
}

func TestPanicIsNoVerdictOnTheNetwork(t *testing.T) {
	var d diary
	c := sample("pod.buggy")
	c.Run = func(ctx context.Context, env *Env) error { panic("index out of range") }
	r := newRunner(t, RunnerOptions{Log: d.write}, c)
	res := result(t, r, c.ID)
	if res.Outcome != Unknown || res.Attempts != 1 || res.Reason != "the check panicked: index out of range; this is a bug of the harness" {
		t.Errorf("got %+v", res)
	}
	if len(d.lines) != 1 || !strings.Contains(d.lines[0], "converge_test.go") {
		t.Errorf("the log lacks the stack: %q", d.lines)
	}
}

func TestAttemptThatRunsOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sample("pod.late")
		c.Attempt, c.Converge = 20*time.Second, 30*time.Second
		c.Run = func(ctx context.Context, env *Env) error { <-ctx.Done(); return ctx.Err() }
		res := result(t, newRunner(t, RunnerOptions{}, c), c.ID)
		if res.Outcome != Unknown || res.Attempts != 1 || res.Duration != 20*time.Second ||
			res.Reason != "the attempt did not end within 20s: context deadline exceeded" {
			t.Errorf("got %+v", res)
		}
	})
}

func TestRunThatDoesNotHeedItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		c := sample("pod.deaf")
		c.Attempt, c.Converge = 20*time.Second, 30*time.Second
		c.Run = func(ctx context.Context, env *Env) error {
			time.Sleep(time.Hour)
			env.Cleanup("late pod", func(context.Context) error { d.write("removed"); return nil })
			return nil
		}
		res := result(t, newRunner(t, RunnerOptions{}, c), c.ID)
		if want := 20*time.Second + config.DefaultTimeouts().APIRequest; res.Duration != want || res.Attempts != 1 {
			t.Errorf("%d attempts took %s, want 1 of %s", res.Attempts, res.Duration, want)
		}
		if res.Outcome != Unknown || res.Reason != "the check did not end when its 20s were over; this is a bug of the harness" {
			t.Errorf("got %+v", res)
		}
		time.Sleep(2 * time.Hour)
		d.want(t, "removed")
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		c := scripted(&d, pair("a", ""), nil)
		after := sample("pod.after", c.ID)
		r := newRunner(t, RunnerOptions{OnFailure: func(context.Context, Check, Result) { d.write("evidence") }}, c, after)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, errors.New("Ctrl-C"))
		defer cancel()
		res, err := r.Result(ctx, after.ID)
		if err != nil || res.ID != after.ID || res.Outcome != Unknown || res.Reason != "interrupted: Ctrl-C" {
			t.Errorf("got %+v, %v", res, err)
		}
		d.want(t, "attempt 1", "remove service of 1", "remove pod of 1")
		if kept, err := r.Results(); err != nil || len(kept) != 0 {
			t.Errorf("kept %v, %v", kept, err)
		}
		if res := result(t, r, after.ID); res.Outcome != Passed {
			t.Errorf("called again: %+v", res)
		}
	})
}

func TestInterruptOfOneCallerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		c := scripted(&d, nil)
		r := newRunner(t, RunnerOptions{}, c)
		ctx, cancel := context.WithCancel(t.Context())
		go r.Result(ctx, c.ID)
		synctest.Wait()
		other := make(chan Result)
		go func() { res, _ := r.Result(t.Context(), c.ID); other <- res }()
		synctest.Wait()
		// The first caller's attempt still passes: an answer is an answer.
		cancel()
		if res := <-other; res.Outcome != Passed {
			t.Errorf("got %+v", res)
		}
		d.want(t, "attempt 1", "remove service of 1", "remove pod of 1")
	})
}
