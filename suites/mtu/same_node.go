// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"context"
	"errors"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// From the probe pod of every node to a second pod beside it, the one that
// pod.same-node started: as mtu.path, without a tunnel on the way.
//
// A bridge drops a frame that its port's MTU does not allow and tells nobody.
// What could fool it: the pods' own MTUs may differ where the CNI's was changed
// between their starts; it is the sender's that is sent.
//
// Turns red with: ip link set dev <the second pod's veth> mtu 1300 (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.same-node",
	Title:    "a packet as large as a pod's MTU reaches a pod on its own node, and a larger one is refused as too long",
	Level:    check.Required,
	Requires: []string{"pod.same-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		neighbours, err := sandbox.Neighbours(ctx, env)
		return errors.Join(err, measure(ctx, env, func(from probe.Pod) []path {
			return sameNode(neighbours, from)
		}))
	},
})

func sameNode(neighbours map[string]probe.Pod, from probe.Pod) []path {
	to, ok := neighbours[from.Node]
	if !ok {
		return nil
	}
	return toPod("pod on same node", from, to)
}
