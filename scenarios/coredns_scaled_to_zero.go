// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// CoreDNS was scaled to zero: the kube-dns Service has no endpoints, kube-proxy
// rejects its packets, and every name stops to resolve while every address
// still answers.
var _ = scenario.Register(scenario.Scenario{
	Name:     "coredns_scaled_to_zero",
	Title:    "the CoreDNS Deployment is scaled to zero replicas",
	Expects:  diagnosis.CoreDNSDown,
	Topology: "two-node",
	Breaks:   []string{"dns.endpoints-ready"},
	MayBreak: []string{"audit.service-selector"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return scaleCoreDNS(ctx, t, 0)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return scaleCoreDNS(ctx, t, 2)
	},
	Look: func(scenario.Target) []string {
		return []string{"kubectl -n kube-system get deployment coredns", "kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns"}
	},
})
