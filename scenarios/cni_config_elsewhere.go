// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// containerd of one worker reads its CNI configuration from a directory that no CNI
// writes to, as after somebody's change of its configuration or a reinstalled
// runtime. flannel's file is where it always was.
//
// Nothing heals it.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cni_config_elsewhere",
	Title:    "the container runtime of one worker looks for CNI configurations in another directory",
	Expects:  diagnosis.CNIConfigMissing,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node", "node.ready", "cni.runtime-network-ready", "cni.config-present"},
	MayBreak: []string{"cni.directories-in-use"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepFile(ctx, t, containerdConf); err != nil {
			return err
		}
		return shell(ctx, t, `printf '[plugins."io.containerd.grpc.v1.cri".cni]\n  conf_dir = "/etc/cni/site.d"\n' >>`+containerdConf+` && systemctl restart containerd`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := putBack(ctx, t, containerdConf); err != nil {
			return err
		}
		if err := shell(ctx, t, "systemctl restart containerd"); err != nil {
			return err
		}
		return nodeReady(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"crictl", "info"}),
			t.Cluster.Access.Describe(t.Node, []string{"ls", "-la", "/etc/cni/net.d"}),
		}
	},
})

// containerdConf is kind's.
const containerdConf = "/etc/containerd/config.toml"
