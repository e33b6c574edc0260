// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// From the network of every node itself, the ClusterIP of the Service over the
// probe pods answers over TCP and UDP and leads to every ready backend, those of
// the node too: kubelets, CNI agents and host-network pods use Services so.
//
// Their packets take another way than those of pods: through OUTPUT and not
// PREROUTING with kube-proxy's rules, and they are masqueraded when the backend
// is elsewhere. What could fool it: as in service.cluster-ip.
//
// Turns red with: iptables -t raw -I OUTPUT -d 10.96.0.0/12 -p udp --dport 82
// -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "service.from-host-network",
	Title:    "a Service's ClusterIP leads to each of its backends over TCP and UDP, from every node's own network",
	Level:    check.Required,
	Requires: []string{"pod.from-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		if err := hosts(env); err != nil {
			return err
		}
		service, err := read(ctx, env, workloads.AppPod)
		if err != nil {
			return err
		}
		return onClusterIPs(env, service, echoes...).ask(ctx, env, env.HostPods)
	},
})
