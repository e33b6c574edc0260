// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The bridge plugin of one worker is of another architecture: an ELF header for
// s390x. The kernel refuses to run it.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cni_binary_wrong_arch",
	Title:    "the bridge plugin of one worker is for another processor architecture",
	Expects:  diagnosis.CNIBinaryMissing,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node", "cni.plugins-executable"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepFile(ctx, t, cniBin+"/bridge"); err != nil {
			return err
		}
		return shell(ctx, t, `printf '\177ELF\002\002\001\000\000\000\000\000\000\000\000\000\000\002\000\026\000\000\000\001' >`+cniBin+`/bridge.new && head -c 65536 /dev/zero >>`+cniBin+`/bridge.new && chmod 755 `+cniBin+`/bridge.new && mv `+cniBin+`/bridge.new `+cniBin+`/bridge`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return putBack(ctx, t, cniBin+"/bridge")
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ls", "-la", "/opt/cni/bin"}),
			t.Cluster.Access.Describe(t.Node, []string{"file", "/opt/cni/bin/bridge"}),
		}
	},
})
