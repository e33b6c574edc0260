// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"context"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// From the probe pod of every node to the probes on the host network of its own
// node and of its two neighbours, at their InternalIPs: as mtu.path. This way
// does not lead through the tunnel: red here is the underlay or the node itself.
//
// What could fool it: a firewall of the nodes that is closed for the probe's
// ports; then small packets do not arrive either and it is inconclusive.
//
// Turns red with: iptables -I INPUT -p udp --dport 18082 -m length --length 1401:65535 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.host",
	Title:    "a packet as large as a pod's MTU reaches its own node and others, and a larger one is refused as too long",
	Level:    check.Required,
	Requires: []string{"pod.to-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		if err := noHosts(env); err != nil {
			return err
		}
		pairs := fleet.Ring(env)
		return measure(ctx, env, func(from probe.Pod) []path {
			return toHosts(env, pairs, from)
		})
	},
})

// noHosts is the outcome where there is no probe on any node's network.
func noHosts(env *check.Env) error {
	switch {
	case len(env.HostPods) > 0:
		return nil
	case env.HostNamespace == "":
		return &check.NotApplicable{Lacks: "pods on the host network, which admission refuses"}
	}
	return &check.Inconclusive{Why: "no probe pod on the host network is ready"}
}

// toHosts are the paths to the pod's own node and its peers.
func toHosts(env *check.Env, pairs fleet.Pairs, from probe.Pod) []path {
	hosts := pairs.Of(from.Node, env.HostPods)
	if own, ok := env.HostPods[from.Node]; ok {
		hosts = append(hosts, own)
	}
	var paths []path
	for _, to := range hosts {
		paths = append(paths, toPod("host", from, to)...)
	}
	return paths
}
