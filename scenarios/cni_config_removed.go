// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody (a CNI's uninstaller, a reinstalled node, a wrong mount) removed the
// CNI configuration of one node. containerd notices at once and reports
// NetworkReady=false, so the kubelet makes the node NotReady within seconds and
// no new sandbox starts there; pods that run keep their network.
//
// Nothing heals it: flannel writes the file only in its init container. Heal
// starts flannel's pod on the node anew, which writes it again.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cni_config_removed",
	Title:    "the CNI configuration directory of one worker is removed",
	Expects:  diagnosis.CNIConfigMissing,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node", "node.ready", "cni.config-present", "cni.runtime-network-ready"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "rm", "-rf", "/etc/cni/net.d")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := onNode(ctx, t, "mkdir", "-p", "/etc/cni/net.d"); err != nil {
			return err
		}
		if err := restartAgent(ctx, t); err != nil {
			return err
		}
		return nodeReady(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ls", "-la", "/etc/cni/net.d"}),
			t.Cluster.Access.Describe(t.Node, []string{"crictl", "info"}),
			"kubectl describe node " + t.Node,
		}
	},
})
