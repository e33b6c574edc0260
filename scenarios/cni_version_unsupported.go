// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The CNI configuration of one worker names a cniVersion that its plugins do not
// speak, as after a rollback of the plugins or a copied configuration. The runtime
// loads the file; each ADD fails.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cni_version_unsupported",
	Title:    "the CNI configuration of one worker names a cniVersion no plugin supports",
	Expects:  diagnosis.CNIVersionIncompatible,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"cni.config-present", "cni.plugins-executable", "cni.config-same", "cni.runtime-network-ready", "node.ready"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepFile(ctx, t, flannelConf); err != nil {
			return err
		}
		return shell(ctx, t, `sed -i 's/"cniVersion": "[^"]*"/"cniVersion": "9.9.9"/' `+flannelConf)
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
			onVictim(t),
		}
	},
})
