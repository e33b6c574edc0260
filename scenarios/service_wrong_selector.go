// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The Service of the cluster's DNS selects a label that no pod has. CoreDNS is well,
// and nobody reaches it.
var _ = scenario.Register(scenario.Scenario{
	Name:     "service_wrong_selector",
	Title:    "the selector of the DNS Service matches no pod",
	Expects:  diagnosis.ServiceSelectorMismatch,
	Topology: "two-node",
	Breaks:   []string{"dns.endpoints-ready"},
	MayBreak: []string{"audit.service-selector"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return patchService(ctx, t, "kube-system", "kube-dns", `{"spec":{"selector":{"k8s-app":"coredns"}}}`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return patchService(ctx, t, "kube-system", "kube-dns", `{"spec":{"selector":{"k8s-app":"kube-dns"}}}`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-system get service kube-dns -o yaml",
			"kubectl -n kube-system get pods --show-labels -l k8s-app=kube-dns",
		}
	},
})
