// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// A plugin that flannel delegates to is gone from one worker, as after an upgrade of
// the operating system or of a package that brought it. Pods that run keep their
// network.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cni_binary_missing",
	Title:    "the bridge plugin is missing on one worker",
	Expects:  diagnosis.CNIBinaryMissing,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node", "cni.plugins-executable"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepFile(ctx, t, cniBin+"/bridge"); err != nil {
			return err
		}
		return shell(ctx, t, "rm -f "+cniBin+"/bridge")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return putBack(ctx, t, cniBin+"/bridge")
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ls", "-la", "/opt/cni/bin"}),
			onVictim(t),
		}
	},
})
