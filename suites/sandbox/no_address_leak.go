// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/ipam"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// churned is how many pods are started and deleted.
const churned = 3

// Five pods started at once on one node and deleted at once give all their
// addresses back, by the CNI's own books: host-local's files on the node,
// Calico's IPAMBlocks, Cilium's CiliumEndpoints. That one pod does so on each
// node, sandbox.deletion-cleans-up shows; this is what pods that come and go
// together do to a plugin's books, and one node is enough for it: a worker that
// takes pods where there is one. A handful is as good as many, since it is
// single addresses that are looked for and not a count.
//
// What could fool it: pods of others come and go on a cluster in use, so counts
// before and after tell nothing; an address counts as leaked only when the same
// sandbox that held it for one of these pods still does.
//
// Turns red with: a host-local in /opt/cni/bin that does nothing on DEL
var _ = check.Register(check.Check{
	ID:       "sandbox.no-address-leak",
	Title:    fmt.Sprintf("%d pods created and deleted on a node leak no address", churned),
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		nodes, unable := fleet.Able(env)
		if len(nodes) == 0 {
			return unable
		}
		node := roomiest(nodes)
		if _, err := ipam.Read(ctx, env.Cluster, node); err != nil {
			if errors.Is(err, ipam.ErrUnknown) {
				return &check.NotApplicable{Lacks: err.Error()}
			}
			return &check.Inconclusive{Node: node, Why: "the address management could not be read", Err: err}
		}
		batch, err := sandbox.Open(ctx, env, "churn")
		if err != nil {
			return &check.Inconclusive{Why: "the pods to be created could not be followed", Err: err}
		}
		batch.Create(ctx, slices.Repeat([]string{node}, churned)...)
		pods, missing := serving(batch.Await(ctx, sandbox.Serving))
		during := openBooks(ctx, env, pods)
		if err := batch.Delete(ctx); err != nil {
			return errors.Join(missing, &check.Inconclusive{Node: node, Why: "the pods could not be deleted", Err: err})
		}
		errs := []error{missing}
		if errors.Is(during.err, ipam.ErrUnknown) {
			errs = append(errs, &check.NotApplicable{Lacks: during.err.Error()})
		}
		for _, s := range batch.Await(ctx, sandbox.Gone) {
			errs = append(errs, sandbox.Ended(s))
		}
		env.Record(check.Measurement{Name: "addresses taken and given back", Node: node, Value: float64(len(during.held[node])), Unit: "count"})
		return errors.Join(append(errs, during.kept(ctx, env))...)
	},
})

// roomiest is the first node that takes pods as any other would, else the first.
func roomiest(nodes []cluster.Node) string {
	for _, n := range nodes {
		if n.Ready && !n.Cordoned && !n.ControlPlane && len(n.Taints) == 0 {
			return n.Name
		}
	}
	return nodes[0].Name
}
