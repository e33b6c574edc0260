// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
)

// fullMesh is the largest number of nodes among which every pair is asked.
// Beyond it pairs are sampled, so that the cost grows with nodes.
const fullMesh = 20

// Pairs says for each node which others its probe is to reach. Every pair is in
// it both ways.
type Pairs map[string][]string

// Mesh pairs each node with every other up to fullMesh nodes; beyond that, with
// its neighbours in the order of names and a node picked by the run's ID, of
// another zone where there is one.
func Mesh(env *check.Env) Pairs { return mesh(paired(env), env.RunID) }

// Ring pairs each node with its two neighbours in the order of names, for what
// is too heavy to do between all.
func Ring(env *check.Env) Pairs { return ring(paired(env)) }

// paired are the nodes to pair: those to judge that have a probe. When that is
// one, the others that have a probe are its peers, judged or not.
func paired(env *check.Env) []cluster.Node {
	withProbe := func(nodes []cluster.Node) []cluster.Node {
		return slices.DeleteFunc(slices.Clone(nodes), func(n cluster.Node) bool {
			_, ok := env.Pods[n.Name]
			return !ok
		})
	}
	nodes := withProbe(env.Nodes)
	if len(nodes) == 1 {
		nodes = withProbe(env.Cluster.Nodes)
	}
	return nodes
}

func ring(nodes []cluster.Node) Pairs {
	pairs := Pairs{}
	for i, n := range nodes {
		pairs.add(n.Name, nodes[(i+1)%len(nodes)].Name)
	}
	return pairs
}

func mesh(nodes []cluster.Node, seed string) Pairs {
	pairs := ring(nodes)
	if len(nodes) <= fullMesh {
		for _, a := range nodes {
			for _, b := range nodes {
				pairs.add(a.Name, b.Name)
			}
		}
		return pairs
	}
	h := fnv.New64a()
	h.Write([]byte(seed))
	random := rand.New(rand.NewPCG(h.Sum64(), uint64(len(nodes))))
	zones := map[string][]cluster.Node{}
	for _, n := range nodes {
		zones[n.Zone] = append(zones[n.Zone], n)
	}
	names := slices.Sorted(maps.Keys(zones))
	for _, n := range nodes {
		elsewhere := nodes
		if len(names) > 1 {
			others := slices.DeleteFunc(slices.Clone(names), func(z string) bool { return z == n.Zone })
			elsewhere = zones[others[random.IntN(len(others))]]
		}
		pairs.add(n.Name, elsewhere[random.IntN(len(elsewhere))].Name)
	}
	return pairs
}

// add pairs two nodes; a node is no peer of its own.
func (p Pairs) add(a, b string) {
	if a == b || slices.Contains(p[a], b) {
		return
	}
	p[a] = append(p[a], b)
	p[b] = append(p[b], a)
}

// Alone is the outcome where there are no pairs to ask, nil where there are.
func (p Pairs) Alone(env *check.Env) error {
	linux := slices.DeleteFunc(slices.Clone(env.Cluster.Nodes), func(n cluster.Node) bool { return n.OS != "" && n.OS != "linux" })
	switch {
	case len(p) > 0:
		return nil
	case len(linux) < 2:
		return &check.NotApplicable{Lacks: "a second Linux node"}
	}
	return &check.Inconclusive{Why: "fewer than two nodes have a probe pod that is ready, so there is no pair to ask"}
}

// Of are the pods of the node's peers, those that exist.
func (p Pairs) Of(node string, pods map[string]probe.Pod) []probe.Pod {
	var peers []probe.Pod
	for _, name := range p[node] {
		if pod, ok := pods[name]; ok {
			peers = append(peers, pod)
		}
	}
	return peers
}
