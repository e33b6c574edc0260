// SPDX-License-Identifier: Apache-2.0

// Package egress holds the checks of area egress: pods reach the world outside
// the cluster, at the targets that the user named, else at fixtures/outside
// beside the nodes of a cluster of the harness's own.
package egress

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/target"
)

// From a pod on every node a TCP connection to each target outside the cluster
// is made and closed again; nothing is sent. Targets of HTTP and HTTPS are among
// them, unless they are for a proxy to reach.
//
// A target that refuses was reached, and yet is red: on its behalf or on a
// firewall's, somebody does not let pods in. What could fool it: a transparent
// proxy that accepts in the target's stead; a target's name, which needs DNS
// first: one that does not resolve makes it inconclusive.
//
// Turns red with: iptables -I FORWARD -d <target> -p tcp --dport 8081 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "egress.tcp",
	Title:    "a pod connects to targets outside the cluster over TCP, from every node",
	Level:    check.Required,
	Requires: []string{"pod.to-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		schemes := []string{target.TCP}
		if env.EgressProxy == "" {
			schemes = append(schemes, target.HTTP, target.HTTPS)
		}
		return trip{
			what: "a TCP connection to", schemes: schemes, hint: "host:port", figure: "TCP connect to",
			jobs: func(to target.Target) []job.Job {
				return []job.Job{{ID: to.String(), Kind: job.Connect, Address: to.Address}}
			},
		}.run(ctx, env)
	},
})
