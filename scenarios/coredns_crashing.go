// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The container of CoreDNS is started with an option it does not have and ends at
// once: a crashing application, which takes DNS with it.
var _ = scenario.Register(scenario.Scenario{
	Name:     "coredns_crashing",
	Title:    "CoreDNS is started with an option it does not have",
	Expects:  diagnosis.CoreDNSDown,
	Topology: "two-node",
	Breaks:   []string{"dns.endpoints-ready"},
	MayBreak: []string{"audit.service-ready", "audit.service-selector"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := patchDeployment(ctx, t, "kube-system", "coredns", `{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"},"template":{"spec":{"containers":[{"name":"coredns","args":["-conf","/etc/coredns/Corefile","-no-such-option"]}]}}}}`); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-system", "k8s-app=kube-dns", "")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := patchDeployment(ctx, t, "kube-system", "coredns", `{"spec":{"strategy":{"$retainKeys":["type","rollingUpdate"],"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1,"maxSurge":"25%"}},"template":{"spec":{"containers":[{"name":"coredns","args":["-conf","/etc/coredns/Corefile"]}]}}}}`); err != nil {
			return err
		}
		return awaitCoreDNS(ctx, t, 2)
	},
	Look: lookAtCoreDNS,
})
