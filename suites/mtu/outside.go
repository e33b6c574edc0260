// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// From the probe pod of every node to the echo outside of the cluster: as
// mtu.path, with the node's masquerading on the way.
//
// What could fool it: an echo is needed that says how much of a packet came, and
// that only a cluster of ours has beside it. For what is beyond, a smaller MTU
// than the pods' is common and path MTU discovery deals with it.
//
// Turns red with: iptables -I FORWARD -p udp -d <the outside's address> -m length --length 1401:65535 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.outside",
	Title:    "a packet as large as a pod's MTU leaves the cluster, and a larger one is refused as too long",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		if env.Cluster.Outside == nil {
			return &check.NotApplicable{Lacks: "an echo outside of it that counts bytes, as fixtures/outside beside a kind cluster of ours"}
		}
		return measure(ctx, env, func(from probe.Pod) []path {
			return toOutside(env, from)
		})
	},
})

func toOutside(env *check.Env, from probe.Pod) []path {
	if env.Cluster.Outside == nil {
		return nil
	}
	var paths []path
	for _, addr := range env.Cluster.Outside.Addrs {
		if fleet.SameFamily(from, addr.String()) {
			paths = append(paths, path{kind: "outside", place: "the outside", ip: addr.String(), tcp: job.PortTCP, udp: job.PortUDP})
		}
	}
	return paths
}
