// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The Service of the cluster's DNS leads to a port of CoreDNS on which nothing
// listens. Its endpoints are ready, and refuse.
var _ = scenario.Register(scenario.Scenario{
	Name:     "service_wrong_target_port",
	Title:    "the targetPort of the DNS Service is one on which nothing listens",
	Expects:  diagnosis.ServicePortMismatch,
	Topology: "two-node",
	Breaks:   []string{"dns.service-name"},
	MayBreak: []string{"audit.service-target-port", "dns.fqdn", "dns.cross-namespace-name", "dns.nxdomain", "dns.external-name", "dns.headless", "dns.ptr", "dns.srv", "dns.large-answer", "dns.parallel-a-aaaa", "dns.loss", "dns.upstream-name", "dns.endpoints-ready", "dns.replicas-from-every-node"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return patchService(ctx, t, "kube-system", "kube-dns", `{"spec":{"ports":[{"port":53,"protocol":"UDP","name":"dns","targetPort":5353},{"port":53,"protocol":"TCP","name":"dns-tcp","targetPort":5353},`+dnsMetricsPort+`]}}`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return patchService(ctx, t, "kube-system", "kube-dns", `{"spec":{"ports":[{"port":53,"protocol":"UDP","name":"dns","targetPort":53},{"port":53,"protocol":"TCP","name":"dns-tcp","targetPort":53},`+dnsMetricsPort+`]}}`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-system get service kube-dns -o yaml",
			"kubectl -n kube-system get endpointslices -l k8s-app=kube-dns",
		}
	},
})

// dnsMetricsPort is what kubeadm's DNS Service has beside DNS.
const dnsMetricsPort = `{"port":9153,"protocol":"TCP","name":"metrics","targetPort":9153}`
