// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// The node ports of a Service with externalTrafficPolicy Cluster answer over TCP
// and UDP at the InternalIPs of every node, also of one that has no backend:
// asked from pods and from the nodes' own network, of their own node and of the
// others, and from outside the cluster where the machine of the harness reaches
// the nodes, as it does on kind and mostly on premises.
//
// What could fool it: a backend that cannot be reached from everywhere is lost
// in a part of the connections only; that part is red where every backend is on
// a node that is judged and the client is none of them. A cloud's firewall that
// lets the probes' ports in and no node ports is red, from outside.
//
// Turns red with: iptables -t raw -I PREROUTING -i eth0 -p udp --dport
// 30000:32767 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "service.nodeport-cluster",
	Title:    "a NodePort answers on every node, to pods, to nodes and to the outside",
	Level:    check.Required,
	Requires: []string{"pod.to-host-network", "service.cluster-ip"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := read(ctx, env, workloads.NodePort)
		if err != nil {
			return err
		}
		t := onNodePorts(env, service)
		return errors.Join(t.fromInside(ctx, env), t.fromOutside(ctx, env, outside(ctx, env)))
	},
})
