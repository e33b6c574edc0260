// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2" //nolint:revive // the field's idiom
	"k8s.io/klog/v2"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/scenario"
	"github.com/cniproof/cniproof/framework/session"
)

// Exam is the Ginkgo edge of the scenarios: one spec per scenario, on a kind
// cluster of ours that those of one topology share. Topologies follow one another.
type Exam struct {
	options    *config.Options
	only       *string
	list       *bool
	nodeImage  *string
	kubernetes *string
	log        io.Writer

	// Of the topology that is examined now.
	session *session.Session
	engine  *scenario.Engine
	// dir holds what is kept of every step, of all topologies.
	dir string
}

// NewExam makes a spec of every registered scenario and defines the flags on
// fs. Call it once, in a package variable of the test.
func NewExam(fs *flag.FlagSet) *Exam {
	e := &Exam{
		options:    config.Register(fs),
		only:       fs.String("scenario", "", "run only this scenario"),
		list:       fs.Bool("list-scenarios", false, "print the scenarios and run none"),
		nodeImage:  fs.String("node-image", env("NODE_IMAGE", "auto"), "kind node image: auto, build or a reference"),
		kubernetes: fs.String("kubernetes", env("KUBERNETES", ""), "Kubernetes minor version of the cluster (default: the newest there is)"),
		log:        os.Stderr,
	}
	all := byTopology()
	for _, topology := range slices.Sorted(maps.Keys(all)) {
		Describe("topology "+topology, Label("topology:"+topology), Ordered, ContinueOnFailure, Serial, func() {
			BeforeAll(func(ctx SpecContext) { succeed(e.open(ctx, topology)) })
			AfterAll(func() { succeed(e.close()) })
			for _, s := range all[topology] {
				It(s.Name+": "+s.Title, Label("scenario:"+s.Name), func(ctx SpecContext) { e.examine(ctx, s) })
			}
		})
	}
	return e
}

// byTopology are the registered scenarios by the cluster they need.
func byTopology() map[string][]scenario.Scenario {
	all := map[string][]scenario.Scenario{}
	for _, s := range scenario.All() {
		all[s.Topology] = append(all[s.Topology], s)
	}
	return all
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
	if *e.only != "" {
		if _, ok := scenario.Lookup(*e.only); !ok {
			t.Fatalf("there is no scenario %q; make scenarios-list lists them", *e.only)
		}
		suite.LabelFilter = "scenario: containsAny {" + *e.only + "}"
	}
	suite.FailOnEmpty = true
	if err := e.options.Settle(flag.CommandLine); err != nil {
		t.Fatal("cniproof: ", err)
	}
	runSpecs(t, "cniproof scenarios", suite, reporter)
	if e.dir != "" {
		fmt.Fprintln(e.log, "evidence of every step:", e.dir)
	}
}

// succeed ends the spec with the error's own words.
func succeed(err error) {
	if err != nil {
		Fail("cniproof: " + err.Error())
	}
}

// open makes the cluster of a topology and deploys the fixtures. A
// *config.Problem is for the person who started the run.
func (e *Exam) open(ctx context.Context, topology string) error {
	provider := cluster.Kind(cluster.KindOptions{
		Topology: topology, NodeImage: *e.nodeImage, Kubernetes: *e.kubernetes, Timeouts: e.options.Timeouts, Log: e.log,
	})
	var err error
	e.session, err = session.New(session.Input{Options: e.options, Provider: provider, Connected: e.healLeftover, Log: e.log})
	if err != nil {
		return err
	}
	// The next topology's run is kept beside this one.
	e.dir, e.options.Artifacts = e.session.Dir, e.session.Dir
	if err := e.session.Open(ctx); err != nil {
		return err
	}
	e.engine = scenario.On(e.session)
	return nil
}

// close removes what was deployed, also after an interrupt; the cluster stays.
func (e *Exam) close() error {
	s := e.session
	e.session, e.engine = nil, nil
	if s == nil {
		return nil
	}
	return s.Close()
}

func (e *Exam) healLeftover(ctx context.Context, c *cluster.Cluster) error {
	healed, err := scenario.HealLeftover(ctx, c, e.options.Timeouts)
	if err == nil && healed != "" {
		fmt.Fprintf(e.log, "healed %s, left behind by a run that was killed\n", healed)
	}
	return err
}

// examine is the body of every spec.
func (e *Exam) examine(ctx SpecContext, s scenario.Scenario) {
	start := time.Now()
	log := func(format string, args ...any) {
		fmt.Fprintf(e.log, "%6.1fs  "+format+"\n", append([]any{time.Since(start).Seconds()}, args...)...)
	}
	e.engine.Log = log
	out, err := e.engine.Run(ctx, s)
	dir := filepath.Join(e.session.Dir, s.Name)
	if data, jsonErr := json.MarshalIndent(out, "", "  "); jsonErr == nil {
		_ = os.WriteFile(filepath.Join(dir, "scenario.json"), data, 0o644) // the outcome is judged below all the same
	}
	AddReportEntry("evidence", dir)
	succeed(err)
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
