// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/target"
)

// datagrams is how many are sent to a target, each from a port of its own.
const datagrams = 3

// From a pod on every node a few datagrams are sent to each UDP target, and each
// must be answered. The target should be an echo; any answer will do.
//
// What could fool it: UDP may lose a datagram on a busy path without anything
// being broken; the next attempt tells.
//
// Turns red with: iptables -I FORWARD -d <target> -p udp --dport 8082 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "egress.udp",
	Title:    "a pod gets answers from outside the cluster over UDP, from every node",
	Level:    check.Required,
	Requires: []string{"pod.to-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		return trip{
			what: "an answer over UDP from", schemes: []string{target.UDP}, hint: "udp://host:port",
			jobs: func(to target.Target) []job.Job {
				return []job.Job{{ID: to.String(), Kind: job.UDP, Address: to.Address, Count: datagrams}}
			},
			arrived: func(r job.Result) bool { return r.Error == job.Mismatch },
		}.run(ctx, env)
	},
})
