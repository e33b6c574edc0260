// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The pods of CoreDNS ask for a node that does not exist. DNS is down, and the
// network is innocent: no scheduler can place them.
var _ = scenario.Register(scenario.Scenario{
	Name:     "coredns_unschedulable",
	Title:    "CoreDNS cannot be scheduled",
	Expects:  diagnosis.NotNetworkScheduling,
	Topology: "default",
	Breaks:   []string{"dns.endpoints-ready"},
	MayBreak: []string{"audit.service-ready", "audit.service-selector"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := patchDeployment(ctx, t, "kube-system", "coredns", `{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"},"template":{"spec":{"nodeSelector":{"example.com/disk":"fast"}}}}}`); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-system", "k8s-app=kube-dns", "")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := patchDeployment(ctx, t, "kube-system", "coredns", `{"spec":{"strategy":{"$retainKeys":["type","rollingUpdate"],"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1,"maxSurge":"25%"}},"template":{"spec":{"nodeSelector":{"example.com/disk":null}}}}}`); err != nil {
			return err
		}
		return awaitCoreDNS(ctx, t, 2)
	},
	Look: lookAtCoreDNS,
})
