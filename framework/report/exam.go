// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
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
	quick      *bool
	tries      *int
	keep       *bool
	injectOnly *bool
	heal       *string
	nodeImage  *string
	kubernetes *string
	log        io.Writer

	// Of the topology that is examined now.
	session *session.Session
	engine  *scenario.Engine
	// found tells that its cluster was there before this run.
	found bool
	// dirty tells that a heal did not work: the next scenario gets a new cluster.
	dirty    bool
	started  time.Time
	outcomes []scenario.Outcome
	// dir holds what is kept of every step, of all topologies.
	dir        string
	kubeconfig string
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
		keep:       fs.Bool("keep-broken", false, "leave the fault of -scenario in place and print how to look at it and how to heal it"),
		injectOnly: fs.Bool("inject-only", false, "make the fault of -scenario and look at nothing"),
		heal:       fs.String("heal", "", "heal this scenario's fault in the cluster that has it, and run none"),
		nodeImage:  fs.String("node-image", env("NODE_IMAGE", "auto"), "kind node image: auto, build or a reference"),
		kubernetes: fs.String("kubernetes", env("KUBERNETES", ""), "Kubernetes minor version of the cluster (default: the newest there is)"),
		log:        os.Stderr,
	}
	all := byTopology()
	topologies := slices.Sorted(maps.Keys(all))
	// Inside one container Ginkgo keeps their order.
	Describe("scenarios", func() {
		for i, topology := range topologies {
			more := i < len(topologies)-1
			Describe("topology "+topology, Label("topology:"+topology), Ordered, ContinueOnFailure, Serial, func() {
				BeforeAll(func(ctx SpecContext) { succeed(e.open(ctx, topology)) })
				AfterAll(func(ctx SpecContext) {
					err := errors.Join(e.finish(ctx), e.close())
					if more && *e.only == "" {
						err = errors.Join(err, e.makeRoom(ctx, topology))
					}
					succeed(err)
				})
				for _, s := range all[topology] {
					It(s.Name+": "+s.Title, Label("scenario:"+s.Name), func(ctx SpecContext) { e.examine(ctx, s) })
				}
			})
		}
	})
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
	e.started = time.Now()
	runSpecs(t, "cniproof scenarios", suite, reporter)
	if e.dir != "" {
		fmt.Fprintln(e.log, "evidence of every step:", e.dir)
	}
}

// chosen are the scenarios the flags name; none where they name none.
func (e *Exam) chosen() ([]scenario.Scenario, error) {
	explicit := false
	flag.Visit(func(f *flag.Flag) { explicit = explicit || f.Name == "kubeconfig" })
	if explicit {
		return nil, &config.Problem{What: "scenarios break clusters, and -kubeconfig names one", Do: "leave it out: they run on a kind cluster made for them"}
	}
	if e.options.NodeAgent == config.AgentOn {
		return nil, &config.Problem{What: "a node agent does not survive the faults of scenarios", Do: "leave -node-agent out: nodes are reached as containers"}
	}
	names := *e.only
	if *e.heal != "" {
		names = *e.heal
	}
	var all []scenario.Scenario
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' }) {
		s, ok := scenario.Lookup(name)
		if !ok {
			return nil, &config.Problem{What: fmt.Sprintf("there is no scenario %q", name), Do: "make scenarios-list lists them"}
		}
		all = append(all, s)
	}
	if (*e.keep || *e.injectOnly) && len(all) != 1 {
		return nil, &config.Problem{What: "-keep-broken and -inject-only are for one fault", Do: "name it with -scenario"}
	}
	return all, nil
}

// byHand makes or heals a fault for people and other tools, and looks at nothing.
func (e *Exam) byHand(ctx context.Context, chosen []scenario.Scenario) error {
	s := chosen[0]
	if *e.heal != "" {
		names, err := e.healKept(ctx, s.Topology)
		if err == nil && len(names) == 0 {
			fmt.Fprintf(e.log, "no cluster of topology %s has a fault of ours\n", s.Topology)
		}
		return err
	}
	c, err := e.up(ctx, s.Topology)
	if err != nil {
		return err
	}
	look, err := scenario.Inject(ctx, c, s, e.options.Timeouts)
	e.howToLook(s, look)
	return err
}

// up returns the cluster of the topology, healed.
func (e *Exam) up(ctx context.Context, topology string) (*cluster.Cluster, error) {
	if _, err := e.healKept(ctx, topology); err != nil {
		fmt.Fprintln(e.log, err)
	}
	c, err := e.provider(topology).Up(ctx)
	if err != nil {
		return nil, err
	}
	return c, e.healLeftover(ctx, c)
}

// healKept heals what is left in clusters of the topology, and names it. It comes
// before anybody looks whether they are well: one that is not would be replaced.
func (e *Exam) healKept(ctx context.Context, topology string) (healed []string, err error) {
	kept, err := cluster.ListKept(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, k := range kept {
		if k.Topology != topology || !scenario.Faulty("kind-"+k.Name) {
			continue
		}
		c, err := cluster.Existing(cluster.ExistingOptions{Kubeconfig: k.Kubeconfig, Timeouts: e.options.Timeouts, Log: e.log}).Up(ctx)
		name := ""
		if err == nil {
			name, err = scenario.HealLeftover(ctx, c, e.options.Timeouts)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cluster %s is left with a fault: %w", k.Name, err))
			continue
		}
		fmt.Fprintf(e.log, "healed %s in cluster %s\n", name, c.Name)
		healed = append(healed, name)
	}
	return healed, errors.Join(errs...)
}

// howToLook says what to do with a fault that stays.
func (e *Exam) howToLook(s scenario.Scenario, look []string) {
	fmt.Fprintf(e.log, "%s is in place: %s\n", s.Name, s.Title)
	if kubeconfig := e.kubeconfig; kubeconfig != "" {
		fmt.Fprintf(e.log, "  export KUBECONFIG=%s\n", kubeconfig)
	}
	for _, command := range look {
		fmt.Fprintf(e.log, "  look: %s\n", command)
	}
	fmt.Fprintf(e.log, "  heal: go test ./scenarios -count=1 -v -heal %s\n", s.Name)
}

// succeed ends the spec with the error's own words.
func succeed(err error) {
	if err != nil {
		Fail("cniproof: " + err.Error())
	}
}

// provider is where the cluster of a topology comes from.
func (e *Exam) provider(topology string) cluster.Provider {
	return following{cluster.Kind(cluster.KindOptions{
		Topology: topology, NodeImage: *e.nodeImage, Kubernetes: *e.kubernetes, Timeouts: e.options.Timeouts, Log: e.log,
	}), &e.kubeconfig}
}

// following remembers where the kubeconfig of the last cluster is.
type following struct {
	cluster.Provider
	kubeconfig *string
}

func (f following) Up(ctx context.Context) (*cluster.Cluster, error) {
	c, err := f.Provider.Up(ctx)
	*f.kubeconfig = f.Provider.Kubeconfig()
	return c, err
}

// open makes the cluster of a topology and deploys the fixtures. A
// *config.Problem is for the person who started the run.
func (e *Exam) open(ctx context.Context, topology string) error {
	var err error
	e.session, err = session.New(session.Input{Options: e.options, Provider: e.provider(topology), Connected: e.healLeftover, Log: e.log})
	if err != nil {
		return err
	}
	if _, err := e.healKept(ctx, topology); err != nil {
		fmt.Fprintln(e.log, err) // the cluster is replaced, or healed once it answers
	}
	kept, err := cluster.ListKept(ctx)
	if err != nil {
		return err
	}
	e.found = slices.ContainsFunc(kept, func(k cluster.Kept) bool { return k.Topology == topology })
	// The next topology's run is kept beside this one.
	e.dir, e.options.Artifacts = e.session.Dir, e.session.Dir
	if err := e.session.Open(ctx); err != nil {
		return err
	}
	e.engine = scenario.On(e.session)
	e.engine.Keep, e.engine.Quick = *e.keep, *e.quick
	return nil
}

// finish looks at all checks once more, unless it is known already that
// something is wrong.
func (e *Exam) finish(ctx context.Context) error {
	if e.engine == nil || e.dirty || *e.keep || ctx.Err() != nil {
		return nil
	}
	e.engine.Log = func(format string, args ...any) { fmt.Fprintf(e.log, format+"\n", args...) }
	return e.engine.Finish(ctx)
}

// replace gives the scenarios that follow a cluster in which no fault is.
func (e *Exam) replace(ctx context.Context, topology string) error {
	fmt.Fprintf(e.log, "the cluster of topology %s is not as it was: replacing it\n", topology)
	if err := e.close(); err != nil {
		fmt.Fprintf(e.log, "close the old one: %v\n", err)
	}
	e.dirty = false
	if err := e.provider(topology).Down(ctx); err != nil {
		return err
	}
	return e.open(ctx, topology)
}

// makeRoom removes the cluster of a topology that is done with, where this run made
// it: idle, it would still cost those that follow a good part of the machine.
func (e *Exam) makeRoom(ctx context.Context, topology string) error {
	if e.found {
		return nil
	}
	return e.provider(topology).Down(ctx)
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
	err := e.try(ctx, s)
	for n := 2; n <= *e.tries && err != nil && ctx.Err() == nil && !*e.keep; n++ {
		fmt.Fprintf(e.log, "%s: try %d of %d, since %v\n", s.Name, n, *e.tries, err)
		dir := filepath.Join(e.session.Dir, s.Name)
		if err = os.Rename(dir, fmt.Sprintf("%s-try-%d", dir, n-1)); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = e.try(ctx, s)
		}
	}
	succeed(err)
}

// try runs the scenario once, on a cluster in which nothing is left of another.
func (e *Exam) try(ctx SpecContext, s scenario.Scenario) error {
	if e.dirty {
		if err := e.replace(ctx, s.Topology); err != nil {
			return err
		}
	}
	start := time.Now()
	e.engine.Log = func(format string, args ...any) {
		fmt.Fprintf(e.log, "%6.1fs  "+format+"\n", append([]any{time.Since(start).Seconds()}, args...)...)
	}
	out, err := e.engine.Run(ctx, s)
	e.dirty = !out.Healed && !*e.keep
	e.outcomes = append(e.outcomes, out)
	AddReportEntry("evidence", filepath.Join(e.session.Dir, s.Name))
	if *e.keep && err == nil {
		e.howToLook(s, nil)
	}
	return errors.Join(err, e.score())
}

// score writes scoreboard.json and scoreboard.md, after every scenario, so that
// an interrupt loses nothing.
func (e *Exam) score() error {
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
