// SPDX-License-Identifier: Apache-2.0

// Package sandbox starts and deletes pods on given nodes and follows what
// becomes of them by watching, never by polling: when they were scheduled, when
// they had their sandbox, what the kubelet complained of, when they were gone.
// It ends a wait as soon as the answer is known. What the answer means for a
// claim is for the checks in suites/ to say.
package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes"

	"github.com/cniproof/cniproof/framework/check"
)

// BatchLabel is on the pods of a batch; its value is the batch's name.
// NeighbourLabel is on those that other checks may use, see Neighbours.
const (
	BatchLabel     = "cniproof.io/batch"
	NeighbourLabel = "cniproof.io/neighbour"
)

// atOnce is how many pods are created at the same time.
const atOnce = 16

// Batch is some pods of one attempt of a check, followed from before they
// exist. It is safe for concurrent use.
type Batch struct {
	// Name is the batch's own, and begins the names of its pods.
	Name string
	// Shape changes a pod before it is created; nil leaves it as it is. It is
	// called for one pod at a time.
	Shape func(*corev1.Pod)

	client           kubernetes.Interface
	neighbours       bool
	namespace, image string
	runID, selector  string
	changed          chan struct{}

	mu     sync.Mutex
	pods   map[string]*State
	broken time.Time // when a watch last had a gap
}

// Open starts watching for the pods of a batch to come, in the run's own
// namespace; the watches end with ctx. purpose is a word that begins the pods'
// names. The pods are removed by env.Cleanup.
func Open(ctx context.Context, env *check.Env, purpose string) (*Batch, error) {
	b := newBatch(env, purpose+"-"+rand.String(5))
	if err := b.follow(ctx); err != nil {
		return nil, err
	}
	env.Cleanup("pods of "+b.Name, b.Delete)
	return b, nil
}

// OpenNeighbours is Open for pods, at most one on a node, that stay when all of
// them got their sandbox: they are what Neighbours finds. Those of an earlier look at
// the same cluster go then, or a session that looks often would fill its nodes.
func OpenNeighbours(ctx context.Context, env *check.Env, purpose string) (*Batch, error) {
	b := newBatch(env, purpose+"-"+rand.String(5))
	b.neighbours = true
	if err := b.follow(ctx); err != nil {
		return nil, err
	}
	env.Cleanup("pods of "+b.Name, func(ctx context.Context) error {
		states, _ := b.states(Sandboxed)
		if slices.ContainsFunc(states, func(s State) bool { return !Sandboxed(s) }) {
			return b.Delete(ctx)
		}
		return b.delete(ctx, NeighbourLabel+","+BatchLabel+"!="+b.Name)
	})
	return b, nil
}

func newBatch(env *check.Env, name string) *Batch {
	return &Batch{
		Name: name, client: env.Cluster.Client, namespace: env.Namespace, image: env.ProbeImage, runID: env.RunID,
		selector: BatchLabel + "=" + name, changed: make(chan struct{}, 1), pods: map[string]*State{},
	}
}

// Create makes one pod per node named, pinned to it; a node named twice gets
// two. A pod that the API server does not take is in its State as Refused.
func (b *Batch) Create(ctx context.Context, nodes ...string) {
	b.mu.Lock()
	first := len(b.pods)
	names := make([]string, len(nodes))
	for i, node := range nodes {
		names[i] = b.Name + "-" + strconv.Itoa(first+i)
		b.pods[names[i]] = &State{Name: names[i], Namespace: b.namespace, Node: node}
	}
	b.mu.Unlock()
	b.post(ctx, names, nodes)
}

// post creates the pods of these names, each on the node of the same place.
func (b *Batch) post(ctx context.Context, names, nodes []string) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, node := range nodes {
		pod := b.pod(names[i], node)
		if b.Shape != nil {
			b.Shape(pod)
		}
		group.Go(func() error {
			_, err := b.client.CoreV1().Pods(b.namespace).Create(ctx, pod, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				b.update(names[i], func(s *State) { s.Refused = err })
			}
			return nil
		})
	}
	_ = group.Wait()
}

// Delete asks the API server to delete all pods of the batch, with the second
// of grace that is in their spec.
func (b *Batch) Delete(ctx context.Context) error { return b.delete(ctx, b.selector) }

func (b *Batch) delete(ctx context.Context, selector string) error {
	err := b.client.CoreV1().Pods(b.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: selector})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the pods labelled %s in %s: %w", selector, b.namespace, err)
	}
	return nil
}

// Await waits until reached is true of every pod, or will not become true of
// it, or ctx ends, and returns the states by then in the order of creation.
func (b *Batch) Await(ctx context.Context, reached Stage) []State {
	for {
		states, waiting := b.states(reached)
		if !waiting {
			return states
		}
		select {
		case <-b.changed:
		case <-ctx.Done():
			states, _ = b.states(reached)
			return states
		}
	}
}

// states are copies of all states, and whether one is worth waiting for.
func (b *Batch) states(reached Stage) ([]State, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	states := make([]State, 0, len(b.pods))
	waiting := false
	for _, s := range b.pods {
		c := *s
		c.Troubles = slices.Clone(s.Troubles)
		c.Seen = time.Now()
		states = append(states, c)
		waiting = waiting || !reached(c) && !c.decided()
	}
	slices.SortFunc(states, func(a, b State) int {
		if len(a.Name) != len(b.Name) {
			return len(a.Name) - len(b.Name)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return states, waiting
}

// update changes the state of a pod of the batch and wakes Await.
func (b *Batch) update(pod string, change func(*State)) {
	b.mu.Lock()
	if s, ok := b.pods[pod]; ok {
		change(s)
	}
	b.mu.Unlock()
	b.wake()
}

// wake has Await look again.
func (b *Batch) wake() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}
