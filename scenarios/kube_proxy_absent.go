// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// kube-proxy does not run on one worker. The rules it left stay, so that what was
// there goes on working, and no change reaches the node any more.
var _ = scenario.Register(scenario.Scenario{
	Name:     "kube_proxy_absent",
	Title:    "kube-proxy is missing on one worker",
	Expects:  diagnosis.KubeProxyDown,
	Topology: "two-node",
	Breaks:   []string{"service.kube-proxy-healthy", "service.endpoints-followed"},
	MayBreak: []string{"service.endpoints-followed", "service.no-endpoints-refused", "service.cluster-ip", "service.from-host-network", "service.nodeport-cluster", "service.nodeport-local", "service.named-target-port", "service.multi-port", "service.one-number-two-protocols", "service.session-affinity", "service.internal-traffic-policy-local", "dns.service-name", "dns.fqdn", "dns.cross-namespace-name", "service.kubernetes-service"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return absentFrom(ctx, t, "kube-system", "kube-proxy")
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
			onVictim(t),
		}
	},
})
