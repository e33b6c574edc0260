// SPDX-License-Identifier: Apache-2.0

// Package session is one run as data flows: options to a cluster, fixtures
// deployed once, checks run in rounds, evidence and diagnosis at each failure,
// and removal of exactly what the run made. It knows nothing of Ginkgo and
// writes no reports: framework/report and framework/scenario stand on it.
package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cniproof/cniproof/fixtures/image"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/probe"
)

// Input is what a session is opened with.
type Input struct {
	Options *config.Options
	// Provider is where the cluster comes from; nil borrows the one of
	// Options.Kubeconfig.
	Provider cluster.Provider
	// State joins the session that another process of the same run opened;
	// nil opens a new one.
	State *State
	// Connected is called with the cluster before anything is deployed; nil is
	// nothing to do.
	Connected func(ctx context.Context, c *cluster.Cluster) error
	// Ahead has Open return while the probe pods still start; Deployed waits for
	// them. Without it Open does.
	Ahead bool
	// Watch is told of every check that this process runs; nil is nobody.
	Watch Watcher
	// Log takes progress lines.
	Log io.Writer
}

// Watcher is told what runs, from any goroutine.
type Watcher interface {
	Started(c check.Check)
	Ended(r check.Result)
}

// State is what the processes of one run share (ginkgo -p). It is plain data.
type State struct {
	RunID      string `json:"runID"`
	Dir        string `json:"dir"`
	ProbeImage string `json:"probeImage"`
	Namespace  string `json:"namespace"`
	HostSpace  string `json:"hostNamespace"`
	// Agents tells that commands on nodes run through agents of the run's own.
	Agents bool `json:"agents"`
	// Nodes tells that commands on nodes run at all.
	Nodes   bool      `json:"nodes"`
	Started time.Time `json:"started"`
}

// Session is an open run. It is safe for concurrent use.
type Session struct {
	State
	Options *config.Options
	Cluster *cluster.Cluster
	Log     io.Writer

	provider     cluster.Provider
	connected    func(context.Context, *cluster.Cluster) error
	watch        Watcher
	probe        *probe.Exec
	pods         *podCache
	paceLock     sync.Mutex
	measuredPace float64 // under paceLock; 0 before
	opened       bool    // by this process, so this process closes it
	ahead        bool
	deploying    deploying
	// removal removes what this process made, once, whoever asks first.
	removal func() error
}

// New names a run and makes its artifact directory. It contacts no cluster, so
// that a run which cannot start still has a place for its report.
func New(in Input) (*Session, error) {
	s := &Session{Options: in.Options, Log: in.Log, provider: in.Provider, connected: in.Connected, watch: in.Watch, ahead: in.Ahead}
	s.removal = sync.OnceValue(s.remove)
	if in.State != nil {
		s.State = *in.State
		return s, nil
	}
	s.Started = time.Now()
	suffix := make([]byte, 3)
	_, _ = rand.Read(suffix) // never fails, see its documentation
	s.RunID = s.Started.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(suffix)
	s.Dir = in.Options.Artifacts
	if s.Dir == "" {
		s.Dir = filepath.Join("_artifacts", s.RunID)
	}
	s.Dir = config.Path(s.Dir)
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, &config.Problem{What: "the artifacts directory " + s.Dir + " cannot be made", Do: "pass -artifacts with a directory that can be written", Err: err}
	}
	if err := sweep(s.Dir); err != nil {
		return nil, &config.Problem{What: "the artifacts directory cannot be used", Do: "pass -artifacts with a directory of your own", Err: err}
	}
	return s, nil
}

// Open makes the cluster reachable and deploys the fixtures, or joins them when
// another process did. Whatever it returns, Close must follow. A *config.Problem
// is for the person who started the run.
func (s *Session) Open(ctx context.Context) error {
	timeouts := s.Options.Timeouts
	if err := Validate(s.Options); err != nil {
		return err
	}
	if s.provider == nil {
		s.provider = cluster.Existing(cluster.ExistingOptions{
			Kubeconfig: config.Path(s.Options.Kubeconfig), Context: s.Options.Context, Timeouts: timeouts, Log: s.Log,
		})
	}
	var err error
	if s.Cluster, err = s.provider.Up(ctx); err != nil {
		return err
	}
	s.probe = probe.NewExec(s.Cluster.Config, timeouts)
	if err := s.validateNodes(); err != nil {
		return err
	}
	if s.Namespace != "" { // joined
		if s.Agents {
			s.useAgents()
		}
		if s.Nodes && s.Cluster.Access == nil { // its checks would be said not to apply
			return errors.New("another process of this run reaches the nodes' containers, this one does not")
		}
		return s.follow(ctx)
	}
	s.opened, s.Nodes = true, s.Cluster.Access != nil
	s.printf("cluster %s: %s, %d nodes, CNI %s, kube-proxy %s", s.Cluster.Name, s.Cluster.Server, len(s.Cluster.Nodes), s.Cluster.CNI.Kind, s.Cluster.ProxyMode)
	if s.connected != nil {
		if err := s.connected(ctx, s.Cluster); err != nil {
			return err
		}
	}
	if err := s.removeStale(ctx); err != nil {
		return err
	}
	if err := s.ensureProbeImage(ctx); err != nil {
		return err
	}
	if err := s.deploy(ctx); err != nil || s.ahead {
		return err
	}
	return s.Deployed(ctx)
}

// Close removes what Open made. It has its own time, so it works after an
// interrupt, and twice is fine.
func (s *Session) Close() error {
	s.deploying.end()
	if s.probe != nil {
		s.probe.Close()
	}
	if s.pods != nil {
		s.pods.close()
		s.pods = nil
	}
	if !s.opened || s.Cluster == nil {
		return nil
	}
	return s.removal()
}

// Release begins to remove the run's pods, for when nothing needs them any more; Close
// waits for that. A check that needs no fixtures may still run: where agents of the run
// are its way onto the nodes, they and all else stay until Close.
func (s *Session) Release() {
	if s.opened && s.Deployed(context.Background()) == nil && !s.Agents {
		go s.removal() //nolint:errcheck // Close returns it
	}
}

func (s *Session) remove() error {
	pods, hosts := workloads.Namespaces(s.RunID)
	return RemoveNamespaces(context.Background(), s.Cluster.Client, s.Options.Timeouts, s.printf, pods, hosts)
}

// Scope are the nodes to judge: those of -nodes, else all.
func (s *Session) Scope() []cluster.Node {
	if len(s.Options.Nodes) == 0 {
		return s.Cluster.Nodes
	}
	return slices.DeleteFunc(slices.Clone(s.Cluster.Nodes), func(n cluster.Node) bool {
		return !slices.Contains(s.Options.Nodes, n.Name)
	})
}

// Selected are the checks to run: those of -areas, else all, in run order.
func (s *Session) Selected() []check.Check {
	return slices.DeleteFunc(check.Default.Checks(), func(c check.Check) bool {
		return len(s.Options.Areas) > 0 && !slices.Contains(s.Options.Areas, c.Area())
	})
}

// Validate refuses options that no run could honour. It contacts nothing.
func Validate(o *config.Options) error {
	for _, area := range o.Areas {
		if !slices.Contains(check.Areas, area) {
			return &config.Problem{What: fmt.Sprintf("there is no area %q", area), Do: "use some of " + strings.Join(check.Areas, ", ")}
		}
	}
	if modes := []string{config.AgentAuto, config.AgentOn, config.AgentOff}; !slices.Contains(modes, o.NodeAgent) {
		return &config.Problem{What: fmt.Sprintf("-node-agent is %q", o.NodeAgent), Do: "use one of " + strings.Join(modes, ", ")}
	}
	return validateEgress(o)
}

func (s *Session) validateNodes() error {
	var known []string
	for _, n := range s.Cluster.Nodes {
		known = append(known, n.Name)
	}
	for _, name := range s.Options.Nodes {
		if !slices.Contains(known, name) {
			return &config.Problem{What: fmt.Sprintf("the cluster has no node %q", name), Do: "use some of " + strings.Join(known, ", ")}
		}
	}
	return nil
}

// ensureProbeImage settles which image probe pods run: the one the user named,
// else the one built here, loaded into the nodes of a cluster of ours and
// looked for on the nodes of any other.
func (s *Session) ensureProbeImage(ctx context.Context) error {
	if s.ProbeImage = s.Options.ProbeImage; s.ProbeImage != "" {
		return nil
	}
	archive, err := image.Build(ctx, "fixtures/probe", s.Log)
	if err != nil {
		return fmt.Errorf("build the probe image: %w", err)
	}
	s.ProbeImage = archive.Ref
	if s.Cluster.Owned {
		return cluster.LoadImage(ctx, s.Cluster, archive.Path, archive.Ref)
	}
	missing, err := cluster.MissingImage(ctx, s.Cluster, archive.Ref)
	if err != nil {
		return fmt.Errorf("look for the probe image on the nodes: %w", err)
	}
	if len(missing) > 0 {
		return &config.Problem{
			What: fmt.Sprintf("the probe image %s is not on %s, and this cluster is not ours to load it into", archive.Ref, strings.Join(missing, ", ")),
			Do:   "publish it where the cluster can pull (make probe-image PUSH=registry/name:tag) and pass -probe-image registry/name:tag",
		}
	}
	return nil
}

func (s *Session) printf(format string, args ...any) {
	fmt.Fprintf(s.Log, "%6.1fs  "+format+"\n", append([]any{time.Since(s.Started).Seconds()}, args...)...)
}
