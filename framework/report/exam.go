// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2" //nolint:revive // the field's idiom
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/scenario"
	"github.com/cniproof/cniproof/framework/session"
)

// Exam is the Ginkgo edge of the scenarios: one spec per scenario, which waits for a
// lane to examine it, on a kind cluster of ours that those of one topology share.
type Exam struct {
	options    *config.Options
	only       *string
	list       *bool
	quick      *bool
	tries      *int
	clusters   *int
	limit      *time.Duration
	keep       *bool
	injectOnly *bool
	heal       *string
	nodeImage  *string
	kubernetes *string
	log        io.Writer

	// dir holds what is kept of every step of every scenario.
	dir   string
	queue *scenario.Queue
	// verdicts has a place for each scenario.
	verdicts map[string]chan verdict
	// host is held by whoever examines, and alone by whoever makes a cluster and by a
	// scenario that shows on the whole machine.
	host sync.RWMutex
	// ended waits for all lanes, and returns what they could not put right.
	ended func() error

	mu       sync.Mutex
	started  time.Time
	outcomes []scenario.Outcome
	lanes    map[string]int // by topology
	// over tells that something was not begun for the time.
	over bool
}

// verdict is what did not hold of a scenario, and where the evidence is.
type verdict struct {
	dir string
	err error
}

// NewExam makes a spec of every registered scenario and defines the flags on
// fs. Call it once, in a package variable of the test.
func NewExam(fs *flag.FlagSet) *Exam {
	e := &Exam{
		options:    config.Register(fs),
		only:       fs.String("scenario", "", "run only these scenarios, comma-separated"),
		list:       fs.Bool("list-scenarios", false, "print the scenarios and run none"),
		quick:      fs.Bool("quick", false, "while a fault is there, leave out the checks that mostly wait, where the scenario does not name them"),
		tries:      fs.Int("tries", 1, "how often a scenario is tried until all of it holds; the scoreboard tells of every try"),
		clusters:   fs.Int("clusters", 1, "on how many clusters scenarios are examined side by side"),
		limit:      fs.Duration("for", 0, "begin no scenario that would not be done after this long, and tell which were left out; when it runs short, look only at the checks that a scenario names; a cluster goes before the next is made, one that was there before too (default: no limit)"),
		keep:       fs.Bool("keep-broken", false, "leave the fault of -scenario in place and print how to look at it and how to heal it"),
		injectOnly: fs.Bool("inject-only", false, "make the fault of -scenario and look at nothing"),
		heal:       fs.String("heal", "", "heal this scenario's fault in the cluster that has it, and run none"),
		nodeImage:  fs.String("node-image", env("NODE_IMAGE", "auto"), "kind node image: auto, build or a reference"),
		kubernetes: fs.String("kubernetes", env("KUBERNETES", ""), "Kubernetes minor version of the cluster (default: the newest there is)"),
		log:        os.Stderr,
	}
	for _, topology := range topologies(scenario.All()) {
		Describe("topology "+topology, Label("topology:"+topology), Serial, func() {
			for _, s := range scenario.All() {
				if s.Topology == topology {
					It(s.Name+": "+s.Title, Label("scenario:"+s.Name), func(ctx SpecContext) { e.await(ctx, s) })
				}
			}
		})
	}
	AfterSuite(func() {
		if e.ended != nil {
			succeed(e.ended())
		}
	})
	return e
}

// Run makes the clusters, runs the scenarios and removes what they left, the
// clusters excepted. runSpecs is Ginkgo's RunSpecs.
func (e *Exam) Run(t *testing.T, runSpecs RunSpecsFunc) {
	klog.SetLogger(logr.Discard()) // client-go's own, which tells of every exec cut short
	suite, reporter := GinkgoConfiguration()
	if *e.list {
		for _, s := range scenario.All() {
			fmt.Printf("%-28s %-24s %-10s breaks %s\n", s.Name, s.Expects, s.Topology, strings.Join(s.Breaks, ", "))
		}
		return
	}
	chosen, err := e.chosen()
	if err != nil {
		t.Fatal("cniproof: ", err)
	}
	if *e.injectOnly || *e.heal != "" {
		if err := e.byHand(t.Context(), chosen); err != nil {
			t.Fatal("cniproof: ", err)
		}
		return
	}
	if *e.only != "" {
		suite.LabelFilter = "scenario: containsAny {" + *e.only + "}"
	}
	suite.FailOnEmpty = true
	if err := e.options.Settle(flag.CommandLine); err != nil {
		t.Fatal("cniproof: ", err)
	}
	if *e.quick {
		e.options.Timeouts.Converge = e.options.Timeouts.QuickConverge
	}
	if suite.DryRun || suite.ParallelProcess != 1 {
		runSpecs(t, "cniproof scenarios", suite, reporter)
		return
	}
	// Ginkgo handles interrupts only while it runs specs, and heals take their time.
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := e.begin(interrupted, selected(suite, reporter)); err != nil {
		t.Fatal("cniproof: ", err)
	}
	runSpecs(t, "cniproof scenarios", suite, reporter)
	stop() // a run cut short leaves nothing running
	if err := e.ended(); err != nil {
		t.Error("cniproof: ", err)
	}
	if left := e.queue.Left(); len(left) > 0 && e.isOver() {
		var names []string
		for _, s := range left {
			names = append(names, s.Name)
		}
		fmt.Fprintf(e.log, "cniproof: %d scenarios were not begun, the time of -for being over: %s\n", len(left), strings.Join(names, ", "))
	}
	fmt.Fprintln(e.log, "evidence of every step:", e.dir)
}

// begin starts the lanes; they end when the queue is empty or ctx is done.
func (e *Exam) begin(ctx context.Context, scenarios []scenario.Scenario) error {
	e.started = time.Now()
	e.queue = scenario.NewQueue(scenarios)
	e.lanes, e.verdicts = map[string]int{}, map[string]chan verdict{}
	for _, s := range scenarios {
		e.verdicts[s.Name] = make(chan verdict, 1)
	}
	s, err := session.New(session.Input{Options: e.options, Log: e.log})
	if err != nil {
		return err
	}
	e.dir, e.options.Artifacts = s.Dir, s.Dir // every session's
	// An image that is built takes the whole machine, and no lane should see that.
	for _, topology := range topologies(scenarios) {
		if *e.clusters == 1 {
			break
		}
		if err := cluster.Prepare(ctx, e.kind(topology, "", e.log)); err != nil {
			return err
		}
	}
	var lanes errgroup.Group
	for n := range max(1, *e.clusters) {
		l := &lane{exam: e, log: e.log}
		if *e.clusters > 1 {
			l.log = &prefixed{to: e.log, prefix: fmt.Sprintf("[%d] ", n+1), mu: &e.mu}
		}
		lanes.Go(func() error { return l.run(ctx) })
	}
	var left error
	done := make(chan struct{})
	go func() {
		left = lanes.Wait()
		for _, v := range e.verdicts {
			close(v)
		}
		close(done)
	}()
	e.ended = func() error { <-done; return left }
	return nil
}

// await is the body of every spec.
func (e *Exam) await(ctx SpecContext, s scenario.Scenario) {
	select {
	case v, ok := <-e.verdicts[s.Name]:
		if !ok && e.isOver() {
			Skip("not begun: the time of -for is over")
		}
		if !ok {
			Fail("cniproof: there was no cluster to examine it on")
		}
		AddReportEntry("evidence", v.dir)
		succeed(v.err)
	case <-ctx.Done():
		Fail("cniproof: interrupted")
	}
}

// succeed ends the spec with the error's own words.
func succeed(err error) {
	if err != nil {
		Fail("cniproof: " + err.Error())
	}
}

// provider is where the cluster of a topology comes from; given is KindOptions.Name.
func (e *Exam) provider(topology, given string, log io.Writer) cluster.Provider {
	return cluster.Kind(e.kind(topology, given, log))
}

func (e *Exam) kind(topology, given string, log io.Writer) cluster.KindOptions {
	return cluster.KindOptions{
		Topology: topology, Name: given, NodeImage: *e.nodeImage, Kubernetes: *e.kubernetes, Timeouts: e.options.Timeouts, Log: log,
	}
}

// given ends the name of the cluster of one more lane that comes to the topology.
func (e *Exam) given(topology string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lanes[topology]++
	if n := e.lanes[topology]; n > 1 {
		return strconv.Itoa(n)
	}
	return ""
}

// score writes scoreboard.json and scoreboard.md with one more outcome, so that an
// interrupt loses nothing.
func (e *Exam) score(out scenario.Outcome) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.outcomes = append(e.outcomes, out)
	board := scenario.Score(e.started, e.outcomes)
	data, err := encode(board)
	if err != nil {
		return err
	}
	return errors.Join(
		replace(filepath.Join(e.dir, "scoreboard.json"), data),
		replace(filepath.Join(e.dir, "scoreboard.md"), []byte(board.Markdown())),
	)
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
