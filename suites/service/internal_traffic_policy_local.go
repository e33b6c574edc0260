// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/probe"
)

// The ClusterIP of a Service with internalTrafficPolicy Local answers over TCP
// and UDP on every node with that node's own backend, and no other's.
//
// It is asked from the node's own network: the probe pod is the node's only
// backend, and that it reaches itself is pod.hairpin's claim. What could fool
// it: chance, which picks the node's own backend of two each time in one of some
// million times.
//
// Turns red with: iptables -t nat -I OUTPUT -d <the ClusterIP> -p udp --dport
// 82 -j DNAT --to-destination <a probe pod elsewhere>:8082 (on a node)
var _ = check.Register(check.Check{
	ID:       "service.internal-traffic-policy-local",
	Title:    "a Service with internalTrafficPolicy Local leads to the backend on the client's own node",
	Level:    check.Required,
	Requires: []string{"service.from-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		if err := hosts(env); err != nil {
			return err
		}
		service, err := read(ctx, env, workloads.Internal)
		if err != nil {
			return err
		}
		t := onClusterIPs(env, service, echoes...)
		// Each client's own fronts, so that they say whose backend is to answer.
		own := t.fronts(probe.Pod{})
		t.fronts = func(from probe.Pod) []front {
			var all []front
			for _, f := range own {
				if f.node = from.Node; len(on(f.node, service.Of(f.at.Addr()))) > 0 {
					all = append(all, f)
				}
			}
			return all
		}
		t.tries = 2 * sameTries
		t.also = func(f front, m balance.Meeting) string { return elsewhere(f, m, service) }
		return t.ask(ctx, env, env.HostPods)
	},
})
