// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The kubelet of one worker writes a DNS server into its pods' resolv.conf that does
// not exist, as on a node that joined with another cluster's configuration. Pods
// started from then on resolve nothing.
var _ = scenario.Register(scenario.Scenario{
	Name:     "kubelet_wrong_cluster_dns",
	Title:    "pods of one worker get the wrong DNS server",
	Expects:  diagnosis.PodDNSMisconfigured,
	Topology: "two-node",
	Breaks:   []string{"dns.pod-resolv-conf"},
	MayBreak: []string{"dns.service-name", "dns.fqdn", "dns.cross-namespace-name"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepFile(ctx, t, kubeletConf); err != nil {
			return err
		}
		if err := shell(ctx, t, `sed -i '/^clusterDNS:/,/^-/s/^- .*/- 10.96.0.99/' `+kubeletConf+` && systemctl restart kubelet`); err != nil {
			return err
		}
		return renewProbes(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := putBack(ctx, t, kubeletConf); err != nil {
			return err
		}
		if err := shell(ctx, t, "systemctl restart kubelet"); err != nil {
			return err
		}
		if err := nodeReady(ctx, t); err != nil {
			return err
		}
		return renewProbes(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"grep", "-A1", "clusterDNS", "/var/lib/kubelet/config.yaml"}),
		}
	},
})

// kubeletConf is kubeadm's.
const kubeletConf = "/var/lib/kubelet/config.yaml"
