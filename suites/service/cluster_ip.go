// SPDX-License-Identifier: Apache-2.0

// Package service holds the checks of area service: Services reach their
// backends, from everywhere they ought to.
package service

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// From a pod on every node, the ClusterIP of the Service over the probe pods
// answers over TCP and UDP, and as many connections are made as it takes to
// meet every ready backend on the other nodes: a node whose rules lack one, or
// still have one that is gone, is found.
//
// What could fool it: the pod itself is a backend, and that it reaches itself is
// pod.hairpin's claim; others may be on nodes that failed a prerequisite. Where
// there are any of these, connections that one of them swallowed cannot be told
// from others that are lost, and a node passes when it met all the rest. Beyond
// a dozen backends not every one is met for certain, and only connections that
// are lost count.
//
// Turns red with: iptables -t raw -I PREROUTING -i cni0 -d 10.96.0.0/12 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "service.cluster-ip",
	Title:    "a Service's ClusterIP leads to each of its backends over TCP and UDP, from every node",
	Level:    check.Required,
	Requires: []string{"pod.other-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := read(ctx, env, workloads.AppPod)
		if err != nil {
			return err
		}
		t := onClusterIPs(env, service, echoes...)
		return t.ask(ctx, env, t.pods(env))
	},
})
