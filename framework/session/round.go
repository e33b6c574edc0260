// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/evidence"
	"github.com/cniproof/cniproof/framework/probe"
)

// Round is one look at the cluster: every check at most once, evidence and
// diagnosis for each that failed. Scenarios look three times; an ordinary run
// has one round. Its state is files, so the processes of one run share it.
type Round struct {
	// Dir holds results/ and evidence/.
	Dir string
	// Investigated are the checks whose failures get evidence and a diagnosis;
	// nil is all. To be set before the first check runs.
	Investigated []string
	// Hasty has the first attempt decide every other check, and nothing take longer
	// for a slow cluster. To be set as early.
	Hasty bool

	session *Session
	runner  *check.Runner
	shelf   evidence.Shelf
	started time.Time
}

// Bundle is the evidence of one failed check and what it says.
type Bundle struct {
	Check string
	// Dir is the bundle's directory.
	Dir       string
	Manifest  evidence.Manifest
	Diagnosis diagnosis.Report
}

// checksAtOnce is how many checks run at the same time: most of them wait for
// pods and packets, yet each costs the API server, the nodes and this process.
// On two cores that are the whole cluster, more than these make packets wait
// for a processor until they count as lost.
const checksAtOnce = 3

// Round starts a new look under the run's directory; name is the folder, ""
// the run's directory itself.
func (s *Session) Round(name string) (*Round, error) {
	r := &Round{Dir: filepath.Join(s.Dir, name), session: s, started: time.Now()}
	options := check.RunnerOptions{
		Dir: filepath.Join(r.Dir, "results"), Timeouts: s.Options.Timeouts, Pace: r.pace, AtOnce: checksAtOnce,
		Hasty: func(id string) bool { return r.Hasty && !slices.Contains(r.Investigated, id) },
		Ready: s.ready, Env: s.env, OnFailure: r.investigate, Log: s.printf,
	}
	if s.watch != nil {
		options.Started, options.Ended = s.watch.Started, s.watch.Ended
	}
	var err error
	if name != "" {
		err = sweep(r.Dir) // New did it for the run's own
	}
	if err == nil {
		r.runner, err = check.NewRunner(options)
	}
	return r, err
}

func (r *Round) pace() float64 {
	if r.Hasty {
		return 1
	}
	return r.session.pace()
}

// Check is the check's result; it runs, prerequisites first, unless it already
// did in this round. An error means that the run's own files cannot be used,
// never that a check failed; a check that ctx cut short is inconclusive.
func (r *Round) Check(ctx context.Context, id string) (check.Result, error) {
	return r.runner.Result(ctx, id)
}

// Ahead begins to run these checks, several at once, for those who ask for
// them later. The function it returns waits until each ended or ctx did.
func (r *Round) Ahead(ctx context.Context, ids []string) (wait func()) {
	return r.runner.Ahead(ctx, ids)
}

// Again has all checks but these run once more when asked for.
func (r *Round) Again(but []string) error { return r.runner.Forget(but...) }

// Results are those so far, prerequisites included, in run order.
func (r *Round) Results() ([]check.Result, error) { return r.runner.Results() }

// Bundles are those so far, by check ID.
func (r *Round) Bundles() (map[string]Bundle, error) {
	dirs, err := filepath.Glob(filepath.Join(r.Dir, "evidence", "*", "diagnosis.json"))
	if err != nil {
		return nil, err
	}
	bundles := map[string]Bundle{}
	for _, file := range dirs {
		b := Bundle{Dir: filepath.Dir(file)}
		b.Check = filepath.Base(b.Dir)
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &b.Diagnosis)
		}
		if err == nil {
			_, b.Manifest, err = evidence.Open(b.Dir)
		}
		if err != nil {
			return nil, fmt.Errorf("read the bundle %s: %w", b.Dir, err)
		}
		bundles[b.Check] = b
	}
	return bundles, nil
}

// ready waits for the probes where the check asks any. That they could not be
// deployed is the whole run's problem, which whoever opened it learns.
func (s *Session) ready(ctx context.Context, c check.Check) {
	if !c.NoProbes {
		_ = s.Deployed(ctx)
	}
}

// env is what a check gets, made for each attempt.
func (s *Session) env(context.Context, check.Check) (check.Env, error) {
	pods, hosts := s.probes()
	return check.Env{
		Cluster: s.Cluster, Nodes: s.Scope(), Namespace: s.Namespace, HostNamespace: s.HostSpace,
		RunID: s.RunID, ProbeImage: s.ProbeImage, Probe: s.probe, Here: probe.Here(), Pods: pods, HostPods: hosts,
		EgressTargets: s.EgressTargets(), EgressProxy: s.Options.EgressProxy, EgressNoProxy: strings.Join(s.Options.EgressNoProxy, ","),
		LoadBalancer: s.Options.LoadBalancer,
	}, nil
}

// investigate gathers evidence at the moment of failure, before cleanups, and
// diagnoses it. What it cannot do it says in the log: evidence is best effort
// and never changes an outcome.
//
// A failure of area audit is about an object and says what to do about it: no
// log could add to that, unless the check names collectors itself.
func (r *Round) investigate(ctx context.Context, c check.Check, result check.Result) {
	if c.Area() == "audit" && len(c.Collects) == 0 || r.Investigated != nil && !slices.Contains(r.Investigated, c.ID) {
		return
	}
	s := r.session
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Options.Timeouts.Evidence)
	defer cancel()
	dir := filepath.Join(r.Dir, "evidence", result.ID)
	start := time.Now()
	manifest, err := evidence.Collect(ctx, evidence.Request{
		Cluster: s.Cluster, Subject: s.subject(result, r.started), Dir: dir,
		RunID: s.RunID, Check: result.ID, Collectors: c.Collects, Timeouts: s.Options.Timeouts,
		Shelf: &r.shelf, Fresh: later(result.Started, start.Add(-s.Options.Timeouts.Converge)),
	})
	if err != nil {
		s.printf("evidence of %s is incomplete: %v", result.ID, err)
	}
	if err := r.diagnose(dir, result); err != nil {
		s.printf("diagnosis of %s failed: %v", result.ID, err)
		return
	}
	s.printf("evidence of %s: %d items in %.1f s", result.ID, len(manifest.Items), time.Since(start).Seconds())
}

// Subject is something to take evidence of that is no check.
type Subject struct {
	// Name is the bundle's, below evidence/ of Dir.
	Name, Dir string
	Nodes     []string
	Since     time.Time
}

// Examine takes evidence and diagnoses it, as for a check that failed.
func (s *Session) Examine(ctx context.Context, about Subject) error {
	ctx, cancel := context.WithTimeout(ctx, s.Options.Timeouts.Evidence)
	defer cancel()
	dir := filepath.Join(about.Dir, "evidence", about.Name)
	_, err := evidence.Collect(ctx, evidence.Request{
		Cluster: s.Cluster, Subject: evidence.Subject{Nodes: about.Nodes, Since: about.Since}, Dir: dir,
		RunID: s.RunID, Check: about.Name, Timeouts: s.Options.Timeouts,
	})
	return errors.Join(err, (&Round{session: s}).diagnose(dir, check.Result{ID: about.Name, Outcome: check.Failed, Started: about.Since}))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *Round) diagnose(dir string, result check.Result) error {
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "check.json"), data, 0o644); err != nil {
		return err
	}
	report := diagnosis.Diagnose(diagnosis.Source{FS: os.DirFS(dir)})
	if data, err = json.MarshalIndent(report, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "diagnosis.json"), data, 0o644)
}

// subject says where to look for the cause of a failure.
func (s *Session) subject(result check.Result, since time.Time) evidence.Subject {
	subject := evidence.Subject{Since: since, Namespaces: []string{s.Namespace}}
	if s.HostSpace != "" {
		subject.Namespaces = append(subject.Namespaces, s.HostSpace)
	}
	add := func(list *[]string, value string) {
		if value != "" && !slices.Contains(*list, value) {
			*list = append(*list, value)
		}
	}
	for _, f := range result.Failures {
		add(&subject.Nodes, f.Node)
		add(&subject.Nodes, f.Peer)
		for _, pod := range f.Pods {
			add(&subject.Pods, pod)
		}
	}
	scope := s.Scope()
	if len(subject.Nodes) == 0 {
		// About the cluster as a whole: every node is involved.
		for _, n := range scope[:min(len(scope), maxNodes)] {
			add(&subject.Nodes, n.Name)
		}
	}
	i := slices.IndexFunc(scope, func(n cluster.Node) bool { return n.Ready && !slices.Contains(subject.Nodes, n.Name) })
	if i >= 0 {
		subject.Healthy = scope[i].Name
	}
	return subject
}

// maxNodes bounds how many nodes a failure without a place is looked for on.
const maxNodes = 10

// Verify tells whether every selected required check passes or does not apply,
// and why not.
func Verify(results []check.Result) error {
	var errs []error
	for _, r := range results {
		if r.Level == check.Required && (r.Outcome == check.Failed || r.Outcome == check.Unknown) {
			errs = append(errs, fmt.Errorf("%s is %s: %s", r.ID, r.Outcome, r.Reason))
		}
	}
	return errors.Join(errs...)
}
