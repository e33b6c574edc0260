// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/session"
)

// world is a cluster of one fact: whether the fault is in it.
type world struct {
	broken bool
	// red are the checks that fail while it is broken, named the cause that
	// the evidence of every failure gives.
	red   []string
	named diagnosis.Code

	heals int
}

func (w *world) Check(_ context.Context, id string) (check.Result, error) {
	r := check.Result{ID: id, Level: check.Required, Outcome: check.Passed}
	for _, red := range w.red {
		if w.broken && red == id {
			r.Outcome, r.Reason = check.Failed, "broken"
		}
	}
	return r, nil
}

func (w *world) Ahead(context.Context, []string) func() { return func() {} }

func (w *world) Again([]string) error { return nil }

func (w *world) Bundles() (map[string]session.Bundle, error) {
	bundles := map[string]session.Bundle{}
	for _, id := range w.red {
		bundles[id] = session.Bundle{Check: id, Diagnosis: diagnosis.Report{Findings: []diagnosis.Finding{{Code: w.named}}}}
	}
	return bundles, nil
}

func (w *world) scenario() Scenario {
	return Scenario{
		Name: "it_broke", Title: "it broke", Expects: "THE_CAUSE", Topology: "default",
		Breaks: []string{"pod.a"}, MayBreak: []string{"pod.b"},
		Inject: func(context.Context, Target) error { w.broken = true; return nil },
		Heal: func(ctx context.Context, _ Target) error {
			w.heals++
			w.broken = false
			return ctx.Err()
		},
	}
}

func (w *world) engine(t *testing.T) *Engine {
	t.Setenv("CNIPROOF_HOME", t.TempDir())
	timeouts := config.DefaultTimeouts()
	timeouts.Break, timeouts.Recover = 50*time.Millisecond, 50*time.Millisecond
	return &Engine{
		Cluster:  &cluster.Cluster{Name: "ours", Owned: true, Nodes: []cluster.Node{{Name: "cp", Ready: true, ControlPlane: true}, {Name: "w1", Ready: true}, {Name: "w2", Ready: true}}},
		Checks:   []check.Check{{ID: "pod.a"}, {ID: "pod.b"}, {ID: "pod.c"}},
		Look:     func(string, []string, bool) (Round, error) { return w, nil },
		Timeouts: timeouts, Log: t.Logf,
	}
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		world world
		want  string // in the error, "" for none
	}{
		"caught, named and healed":   {world{red: []string{"pod.a"}, named: "THE_CAUSE"}, ""},
		"a listed side effect is ok": {world{red: []string{"pod.a", "pod.b"}, named: "THE_CAUSE"}, ""},
		"missed":                     {world{red: nil, named: "THE_CAUSE"}, "missed: pod.a is passed"},
		"misnamed":                   {world{red: []string{"pod.a"}, named: "ANOTHER"}, `says "ANOTHER", want THE_CAUSE`},
		"not named":                  {world{red: []string{"pod.a"}}, `says "", want THE_CAUSE`},
		"an unlisted side effect":    {world{red: []string{"pod.a", "pod.c"}, named: "THE_CAUSE"}, "not listed in Breaks or MayBreak: pod.c"},
		"broken before":              {world{broken: true, red: []string{"pod.a"}}, "not healthy before"},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.world
			brokenBefore := w.broken
			out, err := w.engine(t).Run(t.Context(), w.scenario())
			if c.want == "" && (err != nil || !out.Healed || out.Named != "THE_CAUSE" || out.Node != "w2") {
				t.Errorf("out %+v, err %v, want healed, THE_CAUSE on w2, no error", out, err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("err %v, want one with %q", err, c.want)
			}
			if want := 1; !brokenBefore && w.heals != want {
				t.Errorf("healed %d times, want %d", w.heals, want)
			}
		})
	}
}

// A narrow look sees its own checks red, named and well again, and no other.
func TestRunNarrow(t *testing.T) {
	w := &world{red: []string{"pod.a", "pod.c"}, named: "THE_CAUSE"}
	e := w.engine(t)
	e.Narrow = true
	out, err := e.Run(t.Context(), w.scenario())
	if err != nil || !out.Narrow || !out.Healed || !slices.Equal(out.Red, []string{"pod.a"}) {
		t.Errorf("out %+v, err %v, want narrow, healed, pod.a red alone", out, err)
	}
}

// late passes at the second look, and remembers until when each may last.
type late struct {
	*world
	deadlines []time.Time
}

func (w *late) Check(ctx context.Context, id string) (check.Result, error) {
	r, err := w.world.Check(ctx, id)
	if deadline, _ := ctx.Deadline(); id == "pod.a" {
		w.deadlines = append(w.deadlines, deadline)
	}
	if len(w.deadlines) == 1 {
		r.Outcome, r.Reason = check.Unknown, "too early"
	}
	return r, err
}

// slow has pod.a red at once, and pod.b only when it is looked at again.
type slow struct {
	*world
	looks map[string]int
	kept  []string
}

func (w *slow) Check(ctx context.Context, id string) (check.Result, error) {
	r, err := w.world.Check(ctx, id)
	if w.looks[id]++; id == "pod.b" && w.looks[id] == 1 {
		r.Outcome = check.Passed
	}
	return r, err
}

func (w *slow) Again(but []string) error {
	w.kept = but
	return nil
}

func TestWhatIsRedIsNotLookedAtAgain(t *testing.T) {
	w := &slow{world: &world{broken: true, red: []string{"pod.a", "pod.b"}, named: "THE_CAUSE"}, looks: map[string]int{}}
	e := w.engine(t)
	e.Look = func(string, []string, bool) (Round, error) { return w, nil }
	s := w.scenario()
	s.Breaks = []string{"pod.a", "pod.b"}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out Outcome
	if _, err := e.untilRed(ctx, s, time.Now(), &out); err != nil {
		t.Fatal(err)
	}
	if w.looks["pod.a"] != 1 || w.looks["pod.b"] != 2 || !slices.Equal(w.kept, []string{"pod.a"}) {
		t.Errorf("looks %v, kept %v, want pod.b alone looked at again", w.looks, w.kept)
	}
}

func TestLookIsNotCutShortByTheOneBefore(t *testing.T) {
	w := &late{world: &world{}}
	e := w.engine(t)
	e.Look = func(string, []string, bool) (Round, error) { return w, nil }
	e.Timeouts.Recover = time.Hour
	if err := e.Begin(t.Context(), "default", e.All()); err != nil || len(w.deadlines) != 2 {
		t.Fatalf("err %v after looks until %v, want the second to pass", err, w.deadlines)
	}
	if !w.deadlines[1].After(w.deadlines[0]) {
		t.Errorf("looks until %v, want all of its time for each", w.deadlines)
	}
}

func TestHealOnInterrupt(t *testing.T) {
	w := world{red: []string{"pod.a"}, named: "THE_CAUSE"}
	ctx, interrupt := context.WithCancel(t.Context())
	s := w.scenario()
	inject := s.Inject
	s.Inject = func(ctx context.Context, target Target) error {
		interrupt()
		return errors.Join(inject(ctx, target), ctx.Err())
	}
	if _, err := w.engine(t).Run(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v, want the interrupt", err)
	}
	if w.broken || w.heals != 1 {
		t.Errorf("broken %t after %d heals, want healed once with a context that lives", w.broken, w.heals)
	}
}

func TestForeignClusterIsRefused(t *testing.T) {
	w := world{red: []string{"pod.a"}}
	e := w.engine(t)
	e.Cluster.Owned = false
	var problem *config.Problem
	if _, err := e.Run(t.Context(), w.scenario()); !errors.As(err, &problem) || w.broken {
		t.Errorf("err %v, broken %t, want a refusal before anything happens", err, w.broken)
	}
}

func TestHealLeftover(t *testing.T) {
	w := world{red: []string{"pod.a"}}
	e := w.engine(t)
	saved := registered
	t.Cleanup(func() { registered = saved })
	Register(w.scenario())
	w.broken = true
	if err := (record{Scenario: "it_broke", Cluster: "ours", Node: "w2"}).write(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"it_broke", ""} {
		got, err := HealLeftover(t.Context(), e.Cluster, e.Timeouts)
		if err != nil || got != want || w.broken {
			t.Errorf("healed %q, err %v, broken %t, want %q", got, err, w.broken, want)
		}
	}
}

func TestScoreCountsTheLastTry(t *testing.T) {
	missed := Outcome{Scenario: "a", Expects: "X", Problem: "missed"}
	caught := Outcome{Scenario: "a", Expects: "X", Named: "X", FirstRed: 1, AllRed: 2, Healed: true}
	other := Outcome{Scenario: "b", Expects: "Y", Named: "Z", AllRed: 2, Healed: true, Problem: "misnamed"}
	b := Score(time.Now(), []Outcome{missed, caught, other})
	if b.Total != 2 || b.Detected != 2 || b.Named != 1 || b.Healed != 2 || b.Clean != 1 || len(b.Scenarios) != 3 {
		t.Errorf("%+v", b)
	}
	if b.Confusion["X"]["X"] != 1 || b.Confusion["X"]["nothing"] != 0 || b.Confusion["Y"]["Z"] != 1 {
		t.Errorf("confusion %v", b.Confusion)
	}
	for _, want := range []string{"2 scenarios: 2 detected, 1 named, 2 healed; 1 without any objection", "- a: missed", "- b: misnamed"} {
		if !strings.Contains(b.Markdown(), want) {
			t.Errorf("no %q in\n%s", want, b.Markdown())
		}
	}
}

// endless passes at the first look, and the second lasts until its time is over.
type endless struct {
	*world
	looks int
}

func (w *endless) Check(ctx context.Context, id string) (check.Result, error) {
	if w.looks++; w.looks == 1 {
		return w.world.Check(ctx, id)
	}
	<-ctx.Done()
	return check.Result{ID: id, Outcome: check.Unknown}, nil
}

func TestMissTellsOfTheLastWholeLook(t *testing.T) {
	w := &endless{world: &world{}}
	e := w.engine(t)
	e.Look = func(string, []string, bool) (Round, error) { return w, nil }
	ctx, cancel := context.WithTimeout(t.Context(), lookEvery+100*time.Millisecond)
	defer cancel()
	_, err := e.untilRed(ctx, w.scenario(), time.Now(), &Outcome{})
	if w.looks != 2 || err == nil || !strings.Contains(err.Error(), "missed: pod.a is passed") {
		t.Errorf("err %v after %d looks, want what the first saw", err, w.looks)
	}
}
