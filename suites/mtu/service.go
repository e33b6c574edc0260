// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// someBackends is how many packets of each kind go to a Service, each from a
// port of its own so that they meet several backends.
const someBackends = 4

// From the probe pod of every node to the ClusterIPs of the probes' Service: as
// mtu.path, several times, since it is not known which backend gets a packet.
//
// The path to each backend is the claim of mtu.path, which is required: what is
// lost here is lost by the translation of addresses. What could fool it: a
// backend on a node that is not judged; then the packets that arrive decide.
//
// Turns red with: iptables -t raw -I PREROUTING -d <the Service's address> -p udp -m length --length 1401:65535 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.service",
	Title:    "a packet as large as a pod's MTU reaches a Service, and a larger one is refused as too long",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip", "mtu.path"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := balance.Read(ctx, env.Cluster.Client, env.Namespace, workloads.AppPod)
		if err != nil {
			return &check.Inconclusive{Why: "the probes' Service could not be read", Err: err}
		}
		return measure(ctx, env, func(from probe.Pod) []path {
			return toService(service, from)
		})
	},
})

func toService(service balance.Service, from probe.Pod) []path {
	var paths []path
	for _, addr := range service.Addrs {
		if fleet.SameFamily(from, addr.String()) {
			paths = append(paths, path{
				kind: "Service", place: "Service " + service.Ref, ip: addr.String(),
				tcp: workloads.ServicePortTCP, udp: workloads.ServicePortUDP, tries: someBackends,
			})
		}
	}
	return paths
}
