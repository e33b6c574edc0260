// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/onsi/ginkgo/v2/types"
	"k8s.io/klog/v2"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/gate"
	"github.com/cniproof/cniproof/framework/monitor"
	"github.com/cniproof/cniproof/framework/session"
)

// spare is the part of go test's own time limit that is kept for what comes before
// and after the command.
const spare = 5 * time.Minute

// gate is Run for a gate: no specs, since a check is run twice.
func (s *Suite) gate(t *testing.T, suite types.SuiteConfig) {
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	limit := s.options.Gate.Limit
	deadline, bounded := t.Deadline()
	left := time.Until(deadline) - spare
	var problem error
	switch {
	case suite.ParallelTotal > 1:
		problem = &config.Problem{What: "a gate runs in one process", Do: "leave out -p and -procs"}
	case bounded && left < time.Minute:
		problem = &config.Problem{What: "go test's own time limit leaves none for the upgrade", Do: "pass -timeout, e.g. -timeout 90m"}
	case bounded && left < limit && s.options.Gate.Command != "":
		limit = left
		fmt.Fprintf(s.log, "the upgrade command may take %s: go test's own time limit leaves no more (pass -timeout for another)\n", limit.Round(time.Second))
	}
	if problem != nil {
		fmt.Fprintln(s.log, "cniproof:", problem)
		t.FailNow()
	}
	run, err := Gate(interrupted, s.options, limit, s.log)
	if err != nil {
		fmt.Fprintln(s.log, "cniproof:", err)
	}
	if err != nil || Judge(run).Verdict != Success {
		t.Fail()
	}
}

// gating is one gate under way.
type gating struct {
	options *config.Options
	log     io.Writer
	limit   time.Duration
	dir     string
	started time.Time
	id      string
}

// Gate runs a gate, or the half of one that the options say, and writes its
// reports. limit bounds the command. The run it returns is what reports were
// written of; an error says why it is not complete, and is in it too.
func Gate(ctx context.Context, o *config.Options, limit time.Duration, log io.Writer) (Run, error) {
	klog.SetLogger(logr.Discard()) // client-go's own, which tells of every exec cut short
	if err := validateGate(o); err != nil {
		return Run{}, err
	}
	g := &gating{options: o, log: log, limit: limit, started: time.Now(), dir: o.Artifacts}
	g.id = "gate-" + g.started.UTC().Format("20060102-150405")
	if g.dir == "" {
		g.dir = filepath.Join("_artifacts", g.id)
	}
	g.dir = config.Path(g.dir)
	for _, left := range []string{"samples", filepath.Join("evidence", disruption)} {
		if err := os.RemoveAll(filepath.Join(g.dir, left)); err != nil {
			return Run{}, err
		}
	}
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		return Run{}, &config.Problem{What: "the artifacts directory " + g.dir + " cannot be made", Do: "pass -artifacts with a directory that can be written", Err: err}
	}
	run, err := g.run(ctx)
	switch {
	case ctx.Err() == nil || err != nil && strings.HasPrefix(err.Error(), "interrupted"):
	case err == nil:
		err = errors.New("interrupted")
	default: // by what the interrupt ended
		err = fmt.Errorf("interrupted: %w", err)
	}
	if err != nil {
		run.Problem = err.Error()
	}
	run.Started, run.Duration, run.Complete = g.started, time.Since(g.started), err == nil
	if run.ID == "" {
		run.ID, run.Tool = g.id, version()
	}
	if writing := Write(g.dir, run); writing != nil {
		return run, errors.Join(err, writing)
	}
	fmt.Fprintln(log, Summary(run))
	if o.Pseudonymize {
		err = errors.Join(err, pseudonymize(log, g.dir, run.Cluster))
	}
	fmt.Fprintln(log, "report:", filepath.Join(g.dir, "report.html"))
	return run, err
}

func validateGate(o *config.Options) error {
	if err := session.Validate(o); err != nil {
		return err
	}
	switch g := o.Gate; {
	case g.Phase != "" && g.Phase != config.PhaseBefore && g.Phase != config.PhaseAfter:
		return &config.Problem{What: fmt.Sprintf("-gate-phase is %q", g.Phase), Do: "use before or after, or -upgrade-command for both at once"}
	case g.Phase != "" && g.Command != "":
		return &config.Problem{What: "-gate-phase and -upgrade-command exclude each other", Do: "run the upgrade between the phases, or leave out -gate-phase"}
	case g.Phase == "" && g.State != "":
		return &config.Problem{What: "-gate-state is for -gate-phase", Do: "leave it out"}
	case g.Limit <= 0:
		return &config.Problem{What: fmt.Sprintf("-upgrade-timeout is %s", g.Limit), Do: "use more than 0"}
	}
	_, err := gate.ParseBudget(o.Gate.MaxDisruption)
	return err
}

func (g *gating) run(ctx context.Context) (Run, error) {
	if g.options.Gate.Phase == config.PhaseAfter {
		return g.after(ctx)
	}
	fmt.Fprintln(g.log, "the checks before")
	before, s, err := g.look(ctx, "before")
	if s == nil || err != nil {
		return before, err
	}
	if writing := Write(s.Dir, before); writing != nil {
		return before, writing
	}
	red := gate.Red(before.Results, g.options.Strict)
	for _, why := range red {
		fmt.Fprintln(g.log, "red before:", why)
	}
	if len(red) > 0 && g.options.Gate.StrictBaseline {
		return before, &config.Problem{What: fmt.Sprintf("%d checks fail before the upgrade, and -strict-baseline is set", len(red)), Do: "repair the cluster, or leave -strict-baseline out to have it judged by what gets worse"}
	}
	until := time.Now().Add(g.options.Gate.Limit + g.options.Timeouts.Monitors)
	in := g.monitors(s, s.RunID+"-mon", s.ProbeImage, until)
	if g.options.Gate.Phase == config.PhaseBefore {
		return g.before(ctx, s, before, in)
	}
	return g.whole(ctx, s, before, in, red)
}

// monitors is what they are started with.
func (g *gating) monitors(s *session.Session, id, image string, until time.Time) monitor.Input {
	return monitor.Input{
		Cluster: s.Cluster, Timeouts: g.options.Timeouts, ID: id, Image: image, Preloaded: g.options.ProbeImage == "",
		Annotations: session.OwnershipUntil(until), Until: until, Egress: s.EgressTargets(), Dir: filepath.Join(g.dir, "samples"), Log: g.log,
	}
}

// whole is a gate with the command in the middle.
func (g *gating) whole(ctx context.Context, s *session.Session, before Run, in monitor.Input, red []string) (Run, error) {
	run := before
	m, err := monitor.Start(ctx, in)
	if err == nil {
		run.Gate, err = gate.Watch(ctx, gate.Input{Cluster: s.Cluster, Options: g.options, Monitors: m, Dir: g.dir, Limit: g.limit, Log: g.log})
	}
	// What monitors saw is here. They go while the run after begins, so that their
	// traffic is no part of what it measures, as it was none of what the run before did.
	var words bytes.Buffer
	gone := make(chan error, 1)
	go func() { gone <- remove(m, &words) }()
	if run.Gate != nil {
		run.Gate.RedBefore = red
	}
	if err == nil {
		run, err = g.compare(ctx, s, before.Results, run.Gate)
	}
	err = errors.Join(err, <-gone)
	_, _ = g.log.Write(words.Bytes())
	return run, err
}

func remove(m *monitor.Monitors, log io.Writer) error {
	if m == nil {
		return nil
	}
	if err := m.Remove(log); err != nil {
		return fmt.Errorf("not everything was removed: %w", err)
	}
	return nil
}

// before starts monitors that outlive this process.
func (g *gating) before(ctx context.Context, s *session.Session, before Run, in monitor.Input) (Run, error) {
	in.Annotations = session.Lasting(in.Until)
	m, err := monitor.Start(ctx, in)
	begin := time.Now()
	if err == nil {
		state := gate.State{
			ID: in.ID, Run: s.RunID, Begin: begin, Until: in.Until, Image: in.Image, Egress: in.Egress, Results: before.Results,
		}
		err = state.Save(ctx, s.Cluster.Client, config.Path(g.options.Gate.State))
	}
	if err != nil {
		return before, errors.Join(err, remove(m, g.log))
	}
	before.Gate = &gate.Result{Phase: config.PhaseBefore, Begin: begin, RedBefore: gate.Red(before.Results, g.options.Strict)}
	fmt.Fprintf(g.log, "traffic is watched until %s at the latest; after the upgrade run -gate-phase=after\n", in.Until.UTC().Format(time.RFC3339))
	return before, nil
}

// after is the second half of a gate, also on another machine.
func (g *gating) after(ctx context.Context) (Run, error) {
	c, err := cluster.Existing(cluster.ExistingOptions{
		Kubeconfig: config.Path(g.options.Kubeconfig), Context: g.options.Context, Timeouts: g.options.Timeouts, Log: g.log,
	}).Up(ctx)
	if err != nil {
		return Run{}, err
	}
	state, err := gate.Load(ctx, c.Client, config.Path(g.options.Gate.State))
	if err != nil {
		return Run{}, err
	}
	fmt.Fprintf(g.log, "going on with the gate that began at %s\n", state.Begin.UTC().Format(time.RFC3339))
	s := &session.Session{Options: g.options, Cluster: c, Log: g.log}
	s.RunID = state.Run
	in := g.monitors(s, state.ID, state.Image, state.Until)
	in.Egress = state.Egress
	m, err := monitor.Attach(in)
	if err != nil {
		return Run{}, err
	}
	result, err := gate.Finish(ctx, gate.Input{Cluster: c, Options: g.options, Monitors: m, Dir: g.dir, Log: g.log}, state.Begin)
	if err != nil {
		return Run{Gate: result}, err
	}
	result.RedBefore = gate.Red(state.Results, g.options.Strict)
	if time.Now().After(state.Until) {
		result.Missing = append(result.Missing, fmt.Sprintf("monitors ended by themselves at %s", state.Until.UTC().Format(time.RFC3339)))
	}
	run, err := g.compare(ctx, s, state.Results, result)
	if ctx.Err() == nil { // else they stay for this phase to be run again
		err = errors.Join(err, remove(m, g.log))
	}
	return run, err
}

// disruption names the evidence of gaps beyond the budget.
const disruption = "gate.disruption"

// compare takes evidence of what the budget does not cover, runs the checks again
// and compares.
func (g *gating) compare(ctx context.Context, s *session.Session, before []check.Result, result *gate.Result) (Run, error) {
	if nodes := result.Disrupted(); len(nodes) > 0 {
		fmt.Fprintln(g.log, "more disruption than the budget allows: taking evidence on", strings.Join(nodes, ", "))
		if err := s.Examine(ctx, session.Subject{Name: disruption, Dir: g.dir, Nodes: nodes, Since: result.Begin}); err != nil {
			fmt.Fprintln(g.log, "the evidence is incomplete:", err)
		}
	}
	fmt.Fprintln(g.log, "the checks after")
	run, _, err := g.look(ctx, "")
	result.Comparison = gate.Compare(before, run.Results)
	run.Gate = result
	return run, err
}
