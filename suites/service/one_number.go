// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
)

// Where a Service has one port number for TCP and for UDP, as the cluster's DNS
// has, each protocol leads to its own port of the pods. Behind them are an echo
// over TCP and one over UDP, on other numbers, so that the wrong one does not
// answer.
//
// Cilium tells protocols apart since 1.17 (bpf-lb-proto-diff,
// github.com/cilium/cilium/pull/33434); before, the last of the two that it was
// told of holds for both.
//
// Turns red with: iptables -t nat -I PREROUTING -p udp --dport 81 -j REDIRECT
// --to-ports 9 (on a node)
var _ = check.Register(check.Check{
	ID:       "service.one-number-two-protocols",
	Title:    "one port number of a Service leads to one port of the backends over TCP and to another over UDP",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip"},
	Run: func(ctx context.Context, env *check.Env) error {
		if protocolBlind(env.Cluster.CNI) {
			return &check.NotApplicable{Lacks: "Services that tell TCP from UDP on one port number, which Cilium has since 1.17; this is " + env.Cluster.CNI.Version}
		}
		service, err := read(ctx, env, workloads.OneNumber)
		if err != nil {
			return err
		}
		t := onClusterIPs(env, service, socket{job.TCP, workloads.ServicePortTCP}, socket{job.UDP, workloads.ServicePortTCP})
		return t.ask(ctx, env, t.pods(env))
	},
})

func protocolBlind(cni cluster.CNI) bool {
	v, err := version.ParseGeneric(cni.Version)
	return cni.Kind == "cilium" && err == nil && v.LessThan(version.MustParseGeneric("1.17"))
}
