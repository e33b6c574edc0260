// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// Neighbours are a second probe pod on each node of env.Nodes that can run one,
// by node, and the outcome for nodes where it does not run. They are one batch of
// the whole run, in its own namespace: the first check that asks has them made,
// whoever asks later finds them, also from another process, and they go with
// the namespace. Nodes that cannot run one are left to whoever asks the others.
func Neighbours(ctx context.Context, env *check.Env) (map[string]probe.Pod, error) {
	linux, _ := fleet.Able(env)
	nodes := fleet.Names(linux)
	b := newBatch(env, "neighbour")
	// They must be known before the watch, which shows what is there only once.
	names := make([]string, len(nodes))
	for i, node := range nodes {
		h := fnv.New64a()
		h.Write([]byte(node))
		names[i] = fmt.Sprintf("%s-%016x", b.Name, h.Sum64())
		b.pods[names[i]] = &State{Name: names[i], Namespace: b.namespace, Node: node}
	}
	if err := b.follow(ctx); err != nil {
		return nil, &check.Inconclusive{Why: "the second pods could not be followed", Err: err}
	}
	var absent, on []string
	states, _ := b.states(Sandboxed)
	for _, s := range states {
		if s.Pod == nil {
			absent, on = append(absent, s.Name), append(on, s.Node)
		}
	}
	b.post(ctx, absent, on)

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
