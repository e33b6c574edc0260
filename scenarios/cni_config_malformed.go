// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The CNI configuration of one worker is cut off in the middle, as by a full disk or
// an interrupted copy. containerd watches the directory, drops the network it had
// and says that it failed to load.
//
// flannel writes the file only in its init container, so nothing heals it.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cni_config_malformed",
	Title:    "the CNI configuration of one worker is not valid JSON",
	Expects:  diagnosis.CNIConfigMalformed,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node", "cni.config-present", "cni.runtime-network-ready", "node.ready"},
	MayBreak: []string{"cni.directories-in-use", "cni.plugins-executable", "cni.config-same"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return replaceFile(ctx, t, flannelConf, `{"name": "cbr0", "cniVersion": "0.3.1", "plugins": [{"type": "flannel", "delegate": {`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := putBack(ctx, t, flannelConf); err != nil {
			return err
		}
		return nodeReady(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"cat", "/etc/cni/net.d/10-flannel.conflist"}),
			t.Cluster.Access.Describe(t.Node, []string{"journalctl", "-u", "containerd", "-n", "20"}),
		}
	},
})
