// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"regexp"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// CoreDNS forwards to itself, as with a resolv.conf that names 127.0.0.1: its loop
// plugin notices and ends it, again and again.
var _ = scenario.Register(scenario.Scenario{
	Name:     "coredns_loop",
	Title:    "CoreDNS forwards to itself",
	Expects:  diagnosis.CoreDNSDown,
	Topology: "two-node",
	Breaks:   []string{"dns.endpoints-ready"},
	MayBreak: []string{"audit.dns-loop", "audit.service-ready", "dns.upstream-name"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return loop.inject(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return loop.heal(ctx, t)
	},
	Look: lookAtCoreDNS,
})

var loop = corefile(func(text string) string {
	return regexp.MustCompile(`forward \. [^\n{]+`).ReplaceAllString(text, "forward . 127.0.0.1 ")
})
