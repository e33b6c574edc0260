// SPDX-License-Identifier: Apache-2.0

// Package service holds the checks of area service: Services reach their
// backends, from everywhere they ought to.
package service

import (
	"context"
	"maps"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
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
		service, err := balance.Read(ctx, env.Cluster.Client, env.Namespace, workloads.AppPod)
		if err != nil {
			return &check.Inconclusive{Why: "the probes' Service could not be read", Err: err}
		}
		t := trial{service, env.Nodes}
		clients := maps.Clone(env.Pods)
		for node, host := range env.HostPods {
			// A pod that is the only backend could reach none but itself.
			if pod, ok := clients[node]; ok && len(t.wanted(pod, service.Addrs[0])) == 0 {
				clients[node] = host
			}
		}
		return fleet.Ask(ctx, env, fleet.Question{Pods: clients, Jobs: t.jobs, Judge: t.judge})
	},
})
