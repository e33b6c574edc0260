// SPDX-License-Identifier: Apache-2.0

// Package monitor watches a cluster's pod network while something is done to it:
// monitors on every node sample paths at a steady rate and keep the samples; this
// package deploys them, tells them where to aim, fetches what they saw, and says
// where the gaps are. It also notes what happens to nodes and to the pods that make
// the network. What a gap means is framework/gate's to say.
package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/e2e-framework/klient"

	"golang.org/x/sync/errgroup"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/session"
	"github.com/cniproof/cniproof/framework/target"
)

const (
	// Every is the time from one sample of a path to the next.
	Every = 100 * time.Millisecond
	// followEvery is how often aims are corrected while the API server answers, and
	// fetchEvery how often the samples of each monitor are fetched.
	followEvery = 10 * time.Second
	fetchEvery  = time.Minute
	// atOnce is how many monitors are asked at the same time.
	atOnce = 16
	// lead is how long monitors sample before that counts: nodes take a moment to
	// program new Services.
	lead      = 5 * time.Second
	pollEvery = 500 * time.Millisecond
)

// Input is what monitors are started with.
type Input struct {
	Cluster  *cluster.Cluster
	Timeouts config.Timeouts
	// ID labels all that is made and names its namespaces.
	ID string
	// Image is the probe's, which the nodes have when Preloaded.
	Image     string
	Preloaded bool
	// Annotations say who owns the namespaces and until when.
	Annotations map[string]string
	// Until is when monitors end by themselves.
	Until time.Time
	// Egress are places outside the cluster as framework/target reads them.
	Egress []string
	// Dir is where samples are kept here, one file per monitor pod.
	Dir string
	Log io.Writer
}

// Monitors are those of one run. Methods are for one goroutine, but for Follow's.
type Monitors struct {
	in           Input
	space, hosts string
	egress       []target.Target

	mu sync.Mutex
	// aimed is what each monitor pod was last told, fetched how much of its samples
	// is here, asked when they were last asked for.
	aimed   map[types.UID][]job.Path
	fetched map[types.UID]int64
	asked   map[types.UID]time.Time
}

// Attach returns the monitors that another process started with the same ID.
func Attach(in Input) (*Monitors, error) {
	m := &Monitors{in: in, aimed: map[types.UID][]job.Path{}, fetched: map[types.UID]int64{}, asked: map[types.UID]time.Time{}}
	m.space, m.hosts = workloads.Namespaces(in.ID)
	for _, text := range in.Egress {
		t, err := target.Parse(text)
		if err != nil {
			return nil, err
		}
		// One connection and one datagram a sample; HTTP and TLS would say no more.
		if t.Scheme == target.TCP || t.Scheme == target.UDP {
			m.egress = append(m.egress, t)
		}
	}
	return m, os.MkdirAll(in.Dir, 0o755)
}

// Start deploys monitors and waits until those that can are sampling. Whatever it
// returns, Remove must follow.
func Start(ctx context.Context, in Input) (*Monitors, error) {
	m, err := Attach(in)
	if err != nil {
		return nil, err
	}
	client, err := klient.New(in.Cluster.Config)
	if err != nil {
		return m, fmt.Errorf("make a client: %w", err)
	}
	objects, err := workloads.RenderMonitor(workloads.Params{
		RunID: in.ID, Image: in.Image, PreloadedImage: in.Preloaded, NamespaceAnnotations: in.Annotations,
	})
	if err != nil {
		return m, err
	}
	for _, object := range objects {
		if err := client.Resources().Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return m, fmt.Errorf("create the monitors' %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return m, m.begin(ctx)
}

// begin aims the monitors once those of all Ready nodes run, or after
// Timeouts.FixturesReady those that do.
func (m *Monitors) begin(ctx context.Context) error {
	wanted := 0
	for _, n := range m.in.Cluster.Nodes {
		if n.Ready && (n.OS == "" || n.OS == "linux") {
			wanted++
		}
	}
	var last *field
	complete := func(f *field) bool {
		return len(f.targets) >= wanted && len(f.monitors[workloads.AppMonitor]) >= wanted && len(f.monitors[workloads.AppMonitorHost]) >= wanted
	}
	err := wait.PollUntilContextTimeout(ctx, pollEvery, m.in.Timeouts.FixturesReady, true, func(ctx context.Context) (bool, error) {
		f, err := m.survey(ctx)
		if err != nil {
			return false, nil //nolint:nilerr // asked again until the time is over
		}
		last = f
		return complete(f), nil
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if last == nil || len(last.monitors) == 0 {
		return fmt.Errorf("no monitor runs on any node after %s; see kubectl get pods,events -n %s", m.in.Timeouts.FixturesReady, m.space)
	}
	if !complete(last) {
		fmt.Fprintf(m.in.Log, "monitors run on %d of %d Ready nodes; the others are not watched\n", len(last.monitors[workloads.AppMonitor]), wanted)
	}
	if err := m.tell(ctx, last); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(lead):
		return nil
	}
}

// tell hands each monitor its aim, where that is another than the last.
func (m *Monitors) tell(ctx context.Context, f *field) error {
	return m.each(ctx, f, func(ctx context.Context, app string, p corev1.Pod) error {
		paths := f.paths(app, p.Spec.NodeName)
		m.mu.Lock()
		known := reflect.DeepEqual(m.aimed[p.UID], paths)
		m.mu.Unlock()
		if known {
			return nil
		}
		aim, err := json.Marshal(job.Aim{Every: Every, Until: m.in.Until, Paths: paths})
		if err != nil {
			return err
		}
		if _, err := m.exec(ctx, p, bytes.NewReader(aim), "-aim"); err != nil {
			return fmt.Errorf("aim the monitor on %s: %w", p.Spec.NodeName, err)
		}
		m.mu.Lock()
		m.aimed[p.UID] = paths
		m.mu.Unlock()
		return nil
	})
}

// each does the same with all monitors, several at once, and joins the errors.
func (m *Monitors) each(ctx context.Context, f *field, do func(ctx context.Context, app string, p corev1.Pod) error) error {
	var (
		all  errgroup.Group
		mu   sync.Mutex
		errs []error
	)
	all.SetLimit(atOnce)
	for app, pods := range f.monitors {
		for _, p := range pods {
			all.Go(func() error {
				if err := do(ctx, app, p); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
				return nil
			})
		}
	}
	_ = all.Wait()
	return errors.Join(errs...)
}

func (m *Monitors) exec(ctx context.Context, p corev1.Pod, stdin io.Reader, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, m.in.Timeouts.Exec)
	defer cancel()
	pod := probe.Pod{Namespace: p.Namespace, Name: p.Name, Container: workloads.Container, Node: p.Spec.NodeName}
	return probe.Command(ctx, m.in.Cluster.Config, pod, stdin, append([]string{"/probe", "monitor", "-dir", workloads.MonitorDir}, args...)...)
}

// Remove removes all that Start made, and tells to of what did not go by itself. It
// has its own time, so it works after an interrupt, and twice is fine.
func (m *Monitors) Remove(to io.Writer) error {
	log := func(format string, args ...any) { fmt.Fprintf(to, format+"\n", args...) }
	return session.RemoveNamespaces(context.Background(), m.in.Cluster.Client, m.in.Timeouts, log, m.space, m.hosts)
}
