// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"regexp"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The Corefile has lost its kubernetes plugin, as when somebody replaced it by
// one for another purpose. CoreDNS is ready and answers, and knows no Service.
var _ = scenario.Register(scenario.Scenario{
	Name:     "coredns_without_kubernetes",
	Title:    "the Corefile has no kubernetes plugin",
	Expects:  diagnosis.CoreDNSMisconfigured,
	Topology: "two-node",
	Breaks:   []string{"dns.service-name", "dns.fqdn"},
	MayBreak: []string{"dns"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := withoutKubernetes.inject(ctx, t); err != nil {
			return err
		}
		return awaitCoreDNS(ctx, t, 2)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return withoutKubernetes.heal(ctx, t)
	},
	Look: lookAtCoreDNS,
})

var withoutKubernetes = corefile(func(text string) string {
	return regexp.MustCompile(`(?m)^ *kubernetes [^{]*\{[^}]*\}\n`).ReplaceAllString(text, "")
})
