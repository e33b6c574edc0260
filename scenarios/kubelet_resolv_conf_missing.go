// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The kubelet of one worker is told to begin pods' resolv.conf with systemd-resolved's,
// which does not run there: kubeadm writes that path into the configuration of all
// nodes when the first one has it. The kubelet reads the file before it asks for a
// sandbox, whatever the pod's dnsPolicy, so that no pod starts.
var _ = scenario.Register(scenario.Scenario{
	Name:     "kubelet_resolv_conf_missing",
	Title:    "the resolv.conf that one worker's kubelet hands to pods does not exist",
	Expects:  diagnosis.PodDNSMisconfigured,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepFile(ctx, t, kubeletConf); err != nil {
			return err
		}
		return shell(ctx, t, `sed -i /^resolvConf:/d `+kubeletConf+` && echo resolvConf: /run/systemd/resolve/resolv.conf >>`+kubeletConf+` && systemctl restart kubelet`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := putBack(ctx, t, kubeletConf); err != nil {
			return err
		}
		if err := shell(ctx, t, "systemctl restart kubelet"); err != nil {
			return err
		}
		return nodeReady(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"grep", "resolvConf", kubeletConf}),
			onVictim(t),
		}
	},
})
