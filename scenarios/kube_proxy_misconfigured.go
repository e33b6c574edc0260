// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"regexp"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// kube-proxy's configuration names a mode that does not exist and its pod on one
// worker was just replaced: it does not start.
var _ = scenario.Register(scenario.Scenario{
	Name:     "kube_proxy_misconfigured",
	Title:    "kube-proxy's configuration is not valid",
	Expects:  diagnosis.KubeProxyMisconfigured,
	Topology: "two-node",
	Breaks:   []string{"service.kube-proxy-healthy", "service.endpoints-followed"},
	MayBreak: []string{"service.endpoints-followed", "service.no-endpoints-refused", "service.cluster-ip", "service.from-host-network", "service.nodeport-cluster", "service.nodeport-local", "service.named-target-port", "service.multi-port", "service.one-number-two-protocols", "service.session-affinity", "service.internal-traffic-policy-local", "dns.service-name", "dns.fqdn", "dns.cross-namespace-name"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := editConfigMap(ctx, t, "kube-system", "kube-proxy", "config.conf", func(text string) string {
			return regexp.MustCompile(`(?m)^mode:.*`).ReplaceAllString(text, "mode: iptable")
		}); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-system", "k8s-app=kube-proxy", t.Node)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := restoreConfigMap(ctx, t, "kube-system", "kube-proxy", "config.conf"); err != nil {
			return err
		}
		if err := deletePods(ctx, t, "kube-system", "k8s-app=kube-proxy", t.Node); err != nil {
			return err
		}
		return podsReady(ctx, t, "kube-system", "k8s-app=kube-proxy", t.Node)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide",
			"kubectl -n kube-system logs -l k8s-app=kube-proxy --tail=20",
		}
	},
})
