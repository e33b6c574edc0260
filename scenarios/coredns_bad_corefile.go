// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody edited the Corefile and misspelt a plugin. The CoreDNS that ran would have
// kept its old configuration; its pods were replaced and do not start.
var _ = scenario.Register(scenario.Scenario{
	Name:     "coredns_bad_corefile",
	Title:    "the Corefile names a plugin that does not exist",
	Expects:  diagnosis.CoreDNSDown,
	Topology: "two-node",
	Breaks:   []string{"dns.endpoints-ready"},
	MayBreak: []string{"audit.service-ready"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return misspelt.inject(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return misspelt.heal(ctx, t)
	},
	Look: lookAtCoreDNS,
})

var misspelt = corefile(func(text string) string {
	return strings.Replace(text, "cache", "cachee", 1)
})
