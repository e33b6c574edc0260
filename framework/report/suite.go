// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2" //nolint:revive // the field's idiom
	"github.com/onsi/gomega"
	"k8s.io/klog/v2"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/session"
)

// Suite is the Ginkgo edge of one conformance run: one spec per registered
// check. Specs are made when the test binary starts, the session when
// TestConformance begins.
type Suite struct {
	options  *config.Options
	log      io.Writer
	progress *Progress // nil until a run begins in this process

	session *session.Session
	round   *session.Round

	mu sync.Mutex // serialises reports
	// filtered are the checks that Ginkgo's own flags left out; problem is what
	// ended the run early.
	filtered map[string]bool
	problem  error
	written  time.Time // the reports, last
}

// RunSpecsFunc is the type of Ginkgo's RunSpecs.
type RunSpecsFunc func(t GinkgoTestingT, description string, args ...any) bool

// NewSuite makes a spec of every registered check. Call it once, in a package
// variable of the test, after all checks are linked in.
func NewSuite(options *config.Options) *Suite {
	s := &Suite{options: options, log: os.Stderr}
	for _, area := range check.Areas {
		var checks []check.Check
		for _, c := range check.Default.Checks() {
			if c.Area() == area {
				checks = append(checks, c)
			}
		}
		if len(checks) == 0 {
			continue
		}
		Describe(area, Label("area:"+area), func() {
			for _, c := range checks {
				It(c.Title, Label("check:"+c.ID, "level:"+string(c.Level)), func(ctx SpecContext) { s.run(ctx, c) })
			}
		})
	}
	SynchronizedBeforeSuite(s.share, s.join)
	// The first process waits here for the others, so that its last report has
	// everything.
	SynchronizedAfterSuite(func() {}, func() {})
	JustAfterEach(s.attach)
	ReportAfterEach(func(SpecReport) { s.write() })
	ReportAfterSuite("verdict", s.settle)
	return s
}

// Options are what the flags say.
func (s *Suite) Options() *config.Options { return s.options }

// Run runs the suite: connects, runs Ginkgo, removes what the run made, writes
// the reports, and fails t when the verdict is not success. runSpecs is Ginkgo's
// RunSpecs.
func (s *Suite) Run(t *testing.T, runSpecs RunSpecsFunc) {
	gomega.RegisterFailHandler(Fail)
	klog.SetLogger(logr.Discard()) // client-go's own, which tells of every exec cut short
	if s.problem = s.options.Settle(flag.CommandLine); s.problem == nil {
		s.problem = session.Validate(s.options)
	}
	suite, reporter := GinkgoConfiguration()
	if suite.DryRun {
		runSpecs(t, "cniproof", suite, reporter)
		return
	}
	if s.problem == nil && s.options.Gate.Wanted() {
		s.gate(t, suite)
		return
	}
	suite.FailOnEmpty = true
	total := s.choose(&suite, reporter)
	if suite.ParallelProcess != 1 {
		runSpecs(t, "cniproof", suite, reporter)
		return
	}
	s.progress = NewProgress(s.log, total)
	s.log = s.progress
	// Ginkgo handles interrupts only while it runs specs.
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s.problem = s.open(interrupted)
	if interrupted.Err() != nil {
		s.problem = errors.New("interrupted before the first check")
	}
	wait := func() {}
	switch {
	case s.problem != nil:
	case suite.ParallelTotal == 1:
		wait = s.round.Ahead(interrupted, s.ids())
		go s.release(interrupted)
	default: // the processes are what runs at once, and they wait for nothing
		s.problem = s.session.Deployed(interrupted)
	}
	if s.problem == nil {
		runSpecs(t, "cniproof", suite, reporter)
		if s.problem == nil && interrupted.Err() == nil {
			s.problem = s.session.Deployed(interrupted)
		}
		stop() // a run cut short leaves nothing running
		wait()
	}
	stop()
	s.finish(t)
}

// open connects and deploys; its errors are for people.
func (s *Suite) open(ctx context.Context) error {
	var err error
	if s.session, err = session.New(session.Input{Options: s.options, Ahead: true, Watch: s.progress, Log: s.log}); err != nil {
		return err
	}
	s.write() // a run that is killed from here on leaves valid files
	if s.problem != nil {
		return s.problem
	}
	if err = s.session.Open(ctx); err != nil {
		return err
	}
	s.round, err = s.session.Round("")
	return err
}

// share gives the other processes of ginkgo -p what they need to join.
func (s *Suite) share() []byte {
	data, err := json.Marshal(s.session.State)
	succeed(err)
	return data
}

func (s *Suite) join(ctx SpecContext, data []byte) {
	if s.session != nil {
		return // the process that opened it
	}
	state := new(session.State)
	succeed(json.Unmarshal(data, state))
	var err error
	s.session, err = session.New(session.Input{Options: s.options, State: state, Log: io.Discard})
	succeed(err)
	succeed(s.session.Open(ctx))
	s.round, err = s.session.Round("")
	succeed(err)
}

// run is the body of every spec.
func (s *Suite) run(ctx SpecContext, c check.Check) {
	result, err := s.round.Check(ctx, c.ID)
	succeed(err)
	switch {
	case result.Outcome == check.Passed:
	case result.Outcome == check.Failed && (c.Level == check.Required || s.options.Strict):
		Fail(result.Reason)
	default:
		Skip(fmt.Sprintf("%s: %s", result.Outcome, result.Reason))
	}
}

// attach is the one evidence hook: it puts the path of the bundle and its
// findings on the spec. The bundle itself was taken by the session at the
// moment of failure, before the check's own cleanup; log bodies stay in files,
// since report entries land in full in Ginkgo's own JUnit and JSON.
func (s *Suite) attach() {
	if !CurrentSpecReport().Failed() || s.round == nil {
		return
	}
	bundles, err := s.round.Bundles()
	if err != nil {
		AddReportEntry("evidence", err.Error())
		return
	}
	for _, label := range CurrentSpecReport().Labels() {
		b, ok := bundles[strings.TrimPrefix(label, "check:")]
		if !ok {
			continue
		}
		AddReportEntry("evidence", b.Dir)
		for i, f := range b.Diagnosis.Findings {
			AddReportEntry(fmt.Sprintf("finding %d", i+1), fmt.Sprintf("%s: %s (confidence %.2f)", f.Code, f.Title, f.Confidence))
		}
	}
}

// settle learns from Ginkgo's report whether the run was cut short.
func (s *Suite) settle(r Report) {
	if r.SuiteConfig.DryRun {
		return // a preview
	}
	if reasons := r.SpecialSuiteFailureReasons; len(reasons) > 0 {
		s.problem = errors.New(strings.Join(reasons, "; "))
	}
}

// finish removes what the run made and writes the last report.
func (s *Suite) finish(t *testing.T) {
	s.progress.Close()
	if s.session == nil {
		// Not even an artifacts directory: the sentence is all there is.
		fmt.Fprintln(s.log, "cniproof:", s.problem)
		t.FailNow()
	}
	if err := s.session.Close(); err != nil {
		fmt.Fprintln(s.log, "cniproof: not everything was removed:", err)
		t.Fail()
	}
	run := s.collect()
	run.Complete = s.problem == nil
	if err := Write(s.session.Dir, run); err != nil {
		fmt.Fprintln(s.log, "cniproof: write the reports:", err)
		t.Fail()
	}
	if s.round != nil {
		fmt.Fprintln(s.log, Summary(run))
	}
	if s.options.Pseudonymize && pseudonymize(s.log, s.session.Dir, run.Cluster) != nil {
		t.Fail()
	}
	fmt.Fprintln(s.log, "report:", filepath.Join(s.session.Dir, "report.html"))
	if s.problem != nil {
		fmt.Fprintln(s.log, "cniproof:", s.problem)
	}
	if Judge(run).Verdict != Success {
		t.Fail()
	}
}

// writeEvery is how often the reports are written while checks end.
const writeEvery = time.Second

// write replaces the reports with what is known so far, for those who look
// before the end and for a run that is killed. A report that cannot be written
// now is tried again after a later spec, and at the end for good.
func (s *Suite) write() {
	if s.session == nil || GinkgoParallelProcess() != 1 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.written) < writeEvery {
		return
	}
	s.written = time.Now()
	if err := Write(s.session.Dir, s.collect()); err != nil {
		fmt.Fprintln(s.log, "cniproof: write the reports:", err)
	}
}

// collect is the run as far as it has come.
func (s *Suite) collect() Run {
	run := Run{
		ID: s.session.RunID, Tool: version(), Started: s.session.Started, Duration: time.Since(s.session.Started),
		Strict: s.options.Strict, Selection: selection(s.options), Rerun: rerun(s.options), Checks: Checks(s.selected()),
	}
	if s.problem != nil {
		run.Problem = s.problem.Error()
	}
	if s.session.Cluster != nil {
		run.Cluster = Facts(s.session.Cluster)
	}
	if s.round == nil {
		return run
	}
	var err error
	if run.Results, err = s.round.Results(); err != nil {
		run.Problem = err.Error()
	}
	if run.Bundles, err = bundles(s.round, s.session.Dir); err != nil {
		run.Problem = err.Error()
	}
	return run
}
