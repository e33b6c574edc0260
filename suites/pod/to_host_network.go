// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"context"

	"github.com/cniproof/cniproof/framework/check"
)

// The probe pod of every node reaches the probes on the host network of its own
// node and of others, at the nodes' InternalIPs. The way to another node does
// not lead through the overlay: it shows whether the node forwards at all when
// pod.other-node is red.
//
// What could fool it: a firewall of the nodes that is closed for the probe's
// ports and open for what pods need; the ports are in fixtures/probe/job.
//
// Turns red with: iptables -I INPUT -p tcp --dport 18081 -j REJECT (on a node)
var _ = check.Register(check.Check{
	ID:       "pod.to-host-network",
	Title:    "a pod reaches its own node and others by InternalIP over TCP and UDP",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		return between(ctx, env, env.Pods, env.HostPods)
	},
})
