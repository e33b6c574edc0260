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
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2" //nolint:revive // the field's idiom
	"github.com/onsi/gomega"
	"k8s.io/klog/v2"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/scenario"
	"github.com/cniproof/cniproof/framework/session"
)

// Exam is the Ginkgo edge of the scenarios: one spec per scenario, on a kind
// cluster of ours that they share.
type Exam struct {
	options    *config.Options
	only       *string
	list       *bool
	nodeImage  *string
	kubernetes *string
	log        io.Writer

	session *session.Session
	engine  *scenario.Engine
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
	for _, s := range scenario.All() {
		Describe(s.Name, Label("scenario:"+s.Name, "topology:"+s.Topology), Serial, func() {
			It(s.Title, func(ctx SpecContext) { e.examine(ctx, s) })
		})
	}
	return e
}

// Run makes the cluster, runs the scenarios and removes what they left, the
// cluster excepted. runSpecs is Ginkgo's RunSpecs.
func (e *Exam) Run(t *testing.T, runSpecs RunSpecsFunc) {
	gomega.RegisterFailHandler(Fail)
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
	if suite.DryRun {
		runSpecs(t, "cniproof scenarios", suite, reporter)
		return
	}
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := e.open(interrupted)
	stop()
	if err == nil {
		runSpecs(t, "cniproof scenarios", suite, reporter)
	}
	if e.session != nil {
		err = errors.Join(err, e.session.Close())
		fmt.Fprintln(e.log, "evidence of every step:", e.session.Dir)
	}
	if err != nil {
		fmt.Fprintln(e.log, "cniproof:", err)
		t.Fail()
	}
}

func (e *Exam) open(ctx context.Context) error {
	if err := e.options.Settle(flag.CommandLine); err != nil {
		return err
	}
	provider := cluster.Kind(cluster.KindOptions{
		Topology: "default", NodeImage: *e.nodeImage, Kubernetes: *e.kubernetes, Timeouts: e.options.Timeouts, Log: e.log,
	})
	var err error
	e.session, err = session.New(session.Input{Options: e.options, Provider: provider, Connected: e.healLeftover, Log: e.log})
	if err != nil {
		return err
	}
	return e.session.Open(ctx)
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
	if e.engine == nil {
		e.engine = scenario.On(e.session)
	}
	e.engine.Log = log
	out, err := e.engine.Run(ctx, s)
	dir := filepath.Join(e.session.Dir, s.Name)
	if data, jsonErr := json.MarshalIndent(out, "", "  "); jsonErr == nil {
		_ = os.WriteFile(filepath.Join(dir, "scenario.json"), data, 0o644) // the outcome is judged below all the same
	}
	AddReportEntry("evidence", dir)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
