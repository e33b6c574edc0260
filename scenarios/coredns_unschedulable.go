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
	Topology: "two-node",
	Breaks:   []string{"dns.endpoints-ready"},
	MayBreak: []string{"audit.service-ready", "audit.service-selector"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return recreateCoreDNS(ctx, t, `{"spec":{"nodeSelector":{"example.com/disk":"fast"}}}`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return rollCoreDNS(ctx, t, `{"spec":{"nodeSelector":{"example.com/disk":null}}}`)
	},
	Look: lookAtCoreDNS,
})
