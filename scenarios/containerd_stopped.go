// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The container runtime of one worker is stopped. Containers run on, and with them
// the network of their pods; the kubelet can start and stop nothing, and after a
// while says so of the node.
var _ = scenario.Register(scenario.Scenario{
	Name:     "containerd_stopped",
	Title:    "the container runtime of one worker is stopped",
	Expects:  diagnosis.RuntimeDown,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"node.ready", "cni.runtime-network-ready", "cni.agent-ready", "cni.directories-in-use", "sandbox.deletion-cleans-up", "cni.config-present"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "systemctl", "stop", "containerd")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := onNode(ctx, t, "systemctl", "start", "containerd"); err != nil {
			return err
		}
		return nodeReady(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"systemctl", "status", "containerd"}),
			"kubectl describe node " + t.Node,
		}
	},
})
