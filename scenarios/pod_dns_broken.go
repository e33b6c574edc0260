// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody's pod brings a resolv.conf of its own: a nameserver that is not the
// cluster's, another cluster's search domain, and ndots:15, by which every name is
// tried with the search domain first. The kubelet writes it as it is asked to.
var _ = scenario.Register(scenario.Scenario{
	Name:     "pod_dns_broken",
	Title:    "a pod has a resolv.conf that cannot resolve the cluster's names",
	Expects:  diagnosis.PodDNSMisconfigured,
	Topology: "two-node",
	Breaks:   []string{"audit.pod-dns"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		ndots := "15"
		return openShop(ctx, t, func(pod *corev1.Pod) {
			pod.Spec.DNSPolicy = corev1.DNSNone
			pod.Spec.DNSConfig = &corev1.PodDNSConfig{
				Nameservers: []string{"192.0.2.53"}, // nobody's (RFC 5737)
				Searches:    []string{"shop.svc.old-cluster.test"},
				Options:     []corev1.PodDNSConfigOption{{Name: "ndots", Value: &ndots}},
			}
		})
	},
	Heal: closeShop,
	Look: func(scenario.Target) []string {
		return []string{"kubectl -n shop get pod web -o jsonpath='{.spec.dnsPolicy} {.spec.dnsConfig}'"}
	},
})
