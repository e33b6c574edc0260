// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"context"

	"github.com/cniproof/cniproof/framework/check"
)

// The probe on the host network of every node reaches the probe pods of its own
// node and of others by their IPs, as the kubelet's probes, the API server's
// webhooks and kubectl port-forward need it.
//
// What could fool it: with an overlay, packets of a node leave with the address
// of its tunnel device and not with its InternalIP; what address the pod sees
// is not judged.
//
// Turns red with: iptables -I FORWARD -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "pod.from-host-network",
	Title:    "a node reaches its own pods and those of others by IP over TCP and UDP",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		return between(ctx, env, env.HostPods, env.Pods)
	},
})
