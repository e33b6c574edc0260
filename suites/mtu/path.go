// SPDX-License-Identifier: Apache-2.0

// Package mtu holds the checks of area mtu: packets as large as pods believe
// they may send do arrive, and the headers of the tunnel find room around them.
//
// Measurements, all in bytes, for each node:
//
//   - "path MTU to <kind>": the largest packet that a path carries, where <kind>
//     is "pod on same node", "pod on other node", "Service", "host" or
//     "outside". Peer is the node of the other end, where that is one.
//   - "pod MTU": what a pod on that node may send to pods of other nodes.
//   - "tunnel MTU", "underlay MTU": of the tunnel's device, where there is one,
//     and of the device below it, which has the node's InternalIP.
//   - "tunnel overhead": the headers the tunnel adds, 0 without one. It holds
//     where pod MTU <= tunnel MTU <= underlay MTU - tunnel overhead.
//
// Those of IPv6 have " over IPv6" after their name. The paths are measured by
// mtu.same-node, mtu.path, mtu.service, mtu.host and mtu.outside, the rest by
// mtu.headers.
package mtu

import (
	"context"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// From a pod on every node to those on its two neighbours in the order of names:
// a UDP datagram that makes an IP packet exactly as large as the pod's route
// allows arrives unfragmented, and one that is a byte larger than the pod's
// interface is refused as too long.
//
// A small packet goes first, so that a dead path is never blamed on the MTU. The
// refused one proves the measure: where it would pass, DF is not honoured and the
// other proves nothing. A datagram is one packet, so segmentation offload cannot
// pass for a large MTU; TCP could, mtu.bulk-tcp has that. What arrived of other
// sizes is told beside a failure.
//
// Turns red with: iptables -I FORWARD -p udp -m length --length 1401:65535 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.path",
	Title:    "a packet as large as a pod's MTU reaches a pod on another node, and a larger one is refused as too long",
	Level:    check.Required,
	Requires: []string{"pod.other-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		pairs := fleet.Ring(env)
		if err := pairs.Alone(env); err != nil {
			return err
		}
		return measure(ctx, env, func(from probe.Pod) []path {
			return otherNodes(env, pairs, from)
		})
	},
})

// otherNodes are the paths to the pods of the node's peers.
func otherNodes(env *check.Env, pairs fleet.Pairs, from probe.Pod) []path {
	var paths []path
	for _, to := range pairs.Of(from.Node, env.Pods) {
		paths = append(paths, toPod("pod on other node", from, to)...)
	}
	return paths
}
