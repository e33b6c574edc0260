// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// kube-proxy does not run on one worker and its rules are gone too, as after somebody
// flushed the nat table. No ClusterIP answers there.
var _ = scenario.Register(scenario.Scenario{
	Name:     "kube_proxy_rules_flushed",
	Title:    "kube-proxy is missing on one worker and its rules were flushed",
	Expects:  diagnosis.KubeProxyDown,
	Topology: "two-node",
	Breaks:   []string{"service.kube-proxy-healthy", "service.cluster-ip", "service.kubernetes-service"},
	MayBreak: []string{"service.endpoints-followed", "service.no-endpoints-refused", "service.cluster-ip", "service.from-host-network", "service.nodeport-cluster", "service.nodeport-local", "service.named-target-port", "service.multi-port", "service.one-number-two-protocols", "service.session-affinity", "service.internal-traffic-policy-local", "dns.service-name", "dns.fqdn", "dns.cross-namespace-name", "dns.nxdomain", "dns.external-name", "dns.headless", "dns.ptr", "dns.srv", "dns.large-answer", "dns.parallel-a-aaaa", "dns.loss", "dns.upstream-name"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := absentFrom(ctx, t, "kube-system", "kube-proxy"); err != nil {
			return err
		}
		return shell(ctx, t, "sleep 2; iptables -w -t nat -F KUBE-SERVICES")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := presentOn(ctx, t, "kube-system", "kube-proxy"); err != nil {
			return err
		}
		return podsReady(ctx, t, "kube-system", "k8s-app=kube-proxy", t.Node)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide",
			t.Cluster.Access.Describe(t.Node, []string{"iptables", "-t", "nat", "-L", "KUBE-SERVICES", "-n"}),
		}
	},
})
