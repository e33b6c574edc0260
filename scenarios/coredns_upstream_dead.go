// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"regexp"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// CoreDNS forwards to a server that does not answer, an address on the nodes' own
// network that nobody has. Names of the cluster resolve, all others time out.
var _ = scenario.Register(scenario.Scenario{
	Name:     "coredns_upstream_dead",
	Title:    "CoreDNS forwards to a server that is dead",
	Expects:  diagnosis.DNSUpstreamFailure,
	Topology: "two-node",
	Breaks:   []string{"dns.upstream-name"},
	MayBreak: []string{"dns.endpoints-ready", "dns.replicas-from-every-node", "audit.dns-loop"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return deadUpstream.inject(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return deadUpstream.heal(ctx, t)
	},
	Look: lookAtCoreDNS,
})

var deadUpstream = corefile(func(text string) string {
	return regexp.MustCompile(`forward \. [^\n{]+`).ReplaceAllString(text, "forward . 127.0.0.1:5399 ")
})
