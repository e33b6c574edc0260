// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// Neighbours are a second probe pod on each node of env.Nodes that can run one,
// by node, and the outcome for nodes where it does not run. They are the pods
// of OpenNeighbours, else made here; whoever asks later finds them, also from
// another process, and they go with the namespace. Nodes that cannot run one are
// left to whoever asks the others.
func Neighbours(ctx context.Context, env *check.Env) (map[string]probe.Pod, error) {
	linux, _ := fleet.Able(env)
	b := newBatch(env, "neighbour")
	b.neighbours, b.selector = true, NeighbourLabel
	there, err := b.client.CoreV1().Pods(b.namespace).List(ctx, metav1.ListOptions{LabelSelector: b.selector})
	if err != nil {
		return nil, &check.Inconclusive{Why: "the second pods could not be listed", Err: err}
	}
	now := time.Now()
	for _, pod := range there.Items {
		s := &State{Name: pod.Name, Namespace: b.namespace, Node: pod.Spec.NodeName}
		s.take(&pod, now, now)
		// One of each node is enough, one that serves before one that may.
		known := b.on(s.Node)
		if s.Node == "" || pod.DeletionTimestamp != nil || known != nil && !Serving(*s) {
			continue
		}
		if known != nil {
			delete(b.pods, known.Name)
		}
		b.pods[s.Name] = s
	}
	var names, on []string
	for _, node := range fleet.Names(linux) {
		if b.on(node) == nil {
			h := fnv.New64a()
			h.Write([]byte(node))
			names, on = append(names, fmt.Sprintf("%s-%016x", b.Name, h.Sum64())), append(on, node)
		}
	}
	for i, name := range names {
		b.pods[name] = &State{Name: name, Namespace: b.namespace, Node: on[i]}
	}
	if _, waiting := b.states(Serving); waiting {
		if err := b.follow(ctx); err != nil {
			return nil, &check.Inconclusive{Why: "the second pods could not be followed", Err: err}
		}
		b.post(ctx, names, on)
	}
	neighbours := map[string]probe.Pod{}
	var errs []error
	for _, s := range b.Await(ctx, Serving) {
		if Serving(s) {
			neighbours[s.Node] = s.Probe()
			continue
		}
		errs = append(errs, &check.Inconclusive{Node: s.Node, Why: "the second pod did not start", Err: Started(s)})
	}
	return neighbours, errors.Join(errs...)
}

// on is a pod of the batch on the node; nil where there is none.
func (b *Batch) on(node string) *State {
	for _, s := range b.pods {
		if s.Node == node {
			return s
		}
	}
	return nil
}
