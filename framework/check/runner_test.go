// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
)

// diary is what happened, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("what happened\n got %q\nwant %q", d.lines, want)
	}
}

// threeNodes is an Env of nodes a, b and c.
func threeNodes(context.Context, Check) (Env, error) {
	return Env{Nodes: []cluster.Node{{Name: "a"}, {Name: "b"}, {Name: "c"}}}, nil
}

// newRunner returns a Runner of checks on threeNodes.
func newRunner(t *testing.T, opts RunnerOptions, checks ...Check) *Runner {
	t.Helper()
	opts.Registry = new(Registry)
	for _, c := range checks {
		if c.Level == "" {
			c.Title, c.Level = "the claim of "+c.ID, Required
		}
		opts.Registry.Register(c)
	}
	if opts.Env == nil {
		opts.Env = threeNodes
	}
	r, err := NewRunner(opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func result(t *testing.T, r *Runner, id string) Result {
	t.Helper()
	res, err := r.Result(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// once makes a check that answers err, without another attempt.
func once(id string, d *diary, err error, requires ...string) Check {
	c := sample(id, requires...)
	c.Converge = 1
	c.Run = func(_ context.Context, env *Env) error {
		var nodes []string
		for _, n := range env.Nodes {
			nodes = append(nodes, n.Name)
		}
		d.write("%s on %s", id, strings.Join(nodes, ""))
		return err
	}
	return c
}

func nodeOutcomes(res Result) string {
	var parts []string
	for _, n := range res.Nodes {
		s := n.Node + " " + string(n.Outcome)
		if n.BlockedBy != "" {
			s += " by " + n.BlockedBy
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

func TestPrerequisitesRunFirstAndOnce(t *testing.T) {
	var d diary
	r := newRunner(t, RunnerOptions{Dir: t.TempDir()},
		once("dns.name", &d, nil, "pod.other", "sandbox.starts"),
		once("pod.other", &d, nil, "sandbox.starts"),
		once("sandbox.starts", &d, nil),
	)
	if res := result(t, r, "dns.name"); res.Outcome != Passed || res.Attempts != 1 || res.Area != "dns" || res.Title == "" {
		t.Errorf("got %+v", res)
	}
	first := result(t, r, "pod.other")
	d.want(t, "sandbox.starts on abc", "pod.other on abc", "dns.name on abc")

	other, err := NewRunner(r.opts) // as another process would have it
	if err != nil {
		t.Fatal(err)
	}
	if res := result(t, other, "pod.other"); !res.Started.Equal(first.Started) || res.Duration != first.Duration {
		t.Errorf("another runner of the same Dir has %+v, want %+v", res, first)
	}
	results, err := other.Results()
	if err != nil || len(results) != 3 || results[0].ID != "sandbox.starts" || results[2].ID != "dns.name" {
		t.Errorf("Results: %v, %v", results, err)
	}
	if err := r.Forget("pod.other"); err != nil {
		t.Fatal(err)
	}
	if results, err := r.Results(); err != nil || len(results) != 1 || results[0].ID != "pod.other" {
		t.Errorf("after Forget: %v, %v", results, err)
	}
	result(t, r, "dns.name")
	d.want(t, "sandbox.starts on abc", "pod.other on abc", "dns.name on abc", "sandbox.starts on abc", "dns.name on abc")
}

func TestUnknownCheck(t *testing.T) {
	if _, err := newRunner(t, RunnerOptions{}).Result(t.Context(), "pod.none"); err == nil || !strings.Contains(err.Error(), "pod.none") {
		t.Errorf("got %v", err)
	}
}

func TestBlocking(t *testing.T) {
	for name, test := range map[string]struct {
		sandbox error // what sandbox.starts answers
		pod     error // what pod.other answers, which requires it
		ran     []string
		want    Result // of pod.other
		nodes   string
	}{
		"one node": {
			sandbox: pair("b", ""),
			ran:     []string{"sandbox.starts on abc", "pod.other on ac", "dns.name on ac"},
			want:    Result{Outcome: Unknown, Reason: "blocked by sandbox.starts on b", BlockedBy: "sandbox.starts", Attempts: 1},
			nodes:   "a passed, b inconclusive by sandbox.starts, c passed",
		},
		"one node, and another fails": {
			sandbox: pair("b", ""), pod: pair("a", ""),
			ran:   []string{"sandbox.starts on abc", "pod.other on ac", "dns.name on c"},
			want:  Result{Outcome: Failed, Reason: "a: wanted an answer, observed timed out", Attempts: 1},
			nodes: "a failed, b inconclusive by sandbox.starts, c passed",
		},
		"the peer of every failing pair": {
			sandbox: errors.Join(pair("a", "c"), pair("b", "c")),
			ran:     []string{"sandbox.starts on abc", "pod.other on ab", "dns.name on ab"},
			want:    Result{Outcome: Unknown, Reason: "blocked by sandbox.starts on c", BlockedBy: "sandbox.starts", Attempts: 1},
			nodes:   "a passed, b passed, c inconclusive by sandbox.starts",
		},
		"the cluster": {
			sandbox: pair("", ""),
			ran:     []string{"sandbox.starts on abc"},
			want:    Result{Outcome: Unknown, Reason: "blocked by sandbox.starts on every node", BlockedBy: "sandbox.starts"},
			nodes:   "a inconclusive by sandbox.starts, b inconclusive by sandbox.starts, c inconclusive by sandbox.starts",
		},
		"by what was not measured": {
			sandbox: &Inconclusive{Node: "c", Why: "no exec"},
			ran:     []string{"sandbox.starts on abc", "pod.other on ab", "dns.name on ab"},
			want:    Result{Outcome: Unknown, Reason: "blocked by sandbox.starts on c", BlockedBy: "sandbox.starts", Attempts: 1},
			nodes:   "a passed, b passed, c inconclusive by sandbox.starts",
		},
		"not by what does not apply": {
			sandbox: &NotApplicable{Lacks: "IPv6"},
			ran:     []string{"sandbox.starts on abc", "pod.other on abc", "dns.name on abc"},
			want:    Result{Outcome: Passed, Attempts: 1},
			nodes:   "a passed, b passed, c passed",
		},
		"one node, and does not apply to the rest": {
			sandbox: pair("b", ""), pod: &NotApplicable{Lacks: "a second node"},
			ran:   []string{"sandbox.starts on abc", "pod.other on ac", "dns.name on ac"},
			want:  Result{Outcome: Unknown, Reason: "blocked by sandbox.starts on b", BlockedBy: "sandbox.starts", Attempts: 1},
			nodes: "a not-applicable, b inconclusive by sandbox.starts, c not-applicable",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var d diary
			r := newRunner(t, RunnerOptions{Dir: t.TempDir()},
				once("sandbox.starts", &d, test.sandbox),
				once("pod.other", &d, test.pod, "sandbox.starts"),
				once("dns.name", &d, nil, "pod.other"),
			)
			root := result(t, r, "dns.name")
			d.want(t, test.ran...)
			got := result(t, r, "pod.other")
			if s := nodeOutcomes(got); s != test.nodes {
				t.Errorf("nodes %q, want %q", s, test.nodes)
			}
			got = Result{Outcome: got.Outcome, Reason: got.Reason, BlockedBy: got.BlockedBy, Attempts: got.Attempts}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if test.want.Outcome == Unknown && root.BlockedBy != "sandbox.starts" {
				t.Errorf("dns.name is blocked by %q, want the root", root.BlockedBy)
			}
		})
	}
}

func TestManyAtOnceRunACheckOnce(t *testing.T) {
	var runs atomic.Int32
	c := sample("pod.slow")
	c.Run = func(ctx context.Context, env *Env) error {
		runs.Add(1)
		env.Record(Measurement{Name: "n", Value: 1})
		return nil
	}
	d := sample("pod.after", "pod.slow")
	r := newRunner(t, RunnerOptions{Dir: t.TempDir()}, c, d)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if res, err := r.Result(t.Context(), "pod.after"); err != nil || res.Outcome != Passed {
				t.Errorf("got %v, %v", res, err)
			}
		})
	}
	wg.Wait()
	if n := runs.Load(); n != 1 {
		t.Errorf("ran %d times", n)
	}
}

func TestEnvThatCannotBeHad(t *testing.T) {
	c := sample("pod.other")
	c.Converge = 1
	r := newRunner(t, RunnerOptions{Env: func(context.Context, Check) (Env, error) {
		return Env{}, errors.New("list pods: forbidden")
	}}, c)
	res := result(t, r, "pod.other")
	if res.Outcome != Unknown || res.Reason != "prepare the attempt: list pods: forbidden" {
		t.Errorf("got %+v", res)
	}
}

// TestWhatDoesNotApplyToTheRestIsNotTriedAgain: the blocked nodes make the check
// inconclusive, which another attempt would not change.
func TestWhatDoesNotApplyToTheRestIsNotTriedAgain(t *testing.T) {
	var d diary
	c := once("pod.other", &d, &NotApplicable{Lacks: "a second node"}, "sandbox.starts")
	c.Converge = time.Minute
	if res := result(t, newRunner(t, RunnerOptions{}, once("sandbox.starts", &d, pair("b", "")), c), c.ID); res.Attempts != 1 {
		t.Errorf("%d attempts, want one", res.Attempts)
	}
}

func TestWhatAppliesToNoNodeDoesNotApply(t *testing.T) {
	var d diary
	none := errors.Join(&NotApplicable{Node: "a", Lacks: "Linux"}, &NotApplicable{Node: "b", Lacks: "Linux"}, &NotApplicable{Node: "c", Lacks: "Linux"})
	r := newRunner(t, RunnerOptions{Dir: t.TempDir()}, once("pod.none", &d, none), once("pod.some", &d, &NotApplicable{Node: "b", Lacks: "Linux"}))
	if res := result(t, r, "pod.none"); res.Outcome != NotApplied || res.Reason != "Linux" {
		t.Errorf("on no node: %s, %q; want %s, %q", res.Outcome, res.Reason, NotApplied, "Linux")
	}
	if res := result(t, r, "pod.some"); res.Outcome != Passed {
		t.Errorf("on two of three nodes: %s, want %s", res.Outcome, Passed)
	}
}

// TestAheadRunsSeveralAtOnceAndNoMore lets each check wait for a second one that
// runs with it.
func TestAheadRunsSeveralAtOnceAndNoMore(t *testing.T) {
	const atOnce = 3
	var running, most, runs atomic.Int32
	company := make(chan struct{})
	var checks []Check
	for i := range 12 {
		c := sample(fmt.Sprintf("pod.c%02d", i), "sandbox.starts")
		c.Run = func(ctx context.Context, _ *Env) error {
			runs.Add(1)
			now := running.Add(1)
			defer running.Add(-1)
			most.Store(max(most.Load(), now))
			select {
			case company <- struct{}{}:
			case <-company:
			case <-ctx.Done():
				return errors.New("nothing ran beside it")
			}
			return nil
		}
		checks = append(checks, c)
	}
	var first atomic.Bool
	starts := sample("sandbox.starts")
	starts.Run = func(context.Context, *Env) error {
		first.Store(runs.Load() == 0)
		return nil
	}
	var began, ended atomic.Int32
	r := newRunner(t, RunnerOptions{
		Dir: t.TempDir(), AtOnce: atOnce,
		Started: func(Check) { began.Add(1) }, Ended: func(Result) { ended.Add(1) },
	}, append(checks, starts)...)
	var ids []string
	for _, c := range checks {
		ids = append(ids, c.ID)
	}
	wait := r.Ahead(t.Context(), ids)
	for _, id := range ids {
		if res := result(t, r, id); res.Outcome != Passed {
			t.Errorf("%s: %s: %s", id, res.Outcome, res.Reason)
		}
	}
	wait()
	if most.Load() > atOnce || runs.Load() != 12 || !first.Load() {
		t.Errorf("%d at once, %d runs, prerequisite first: %t", most.Load(), runs.Load(), first.Load())
	}
	if began.Load() != 13 || ended.Load() != 13 {
		t.Errorf("told of %d starts and %d ends of 13", began.Load(), ended.Load())
	}
}
