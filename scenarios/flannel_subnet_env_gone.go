// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The file flannel's agent leaves for its plugin is gone from one worker, as after a
// reboot while the agent does not start: /run is empty then. Each ADD fails.
//
// flanneld writes it only when it starts. Heal starts it anew.
var _ = scenario.Register(scenario.Scenario{
	Name:     "flannel_subnet_env_gone",
	Title:    "flannel's subnet.env is gone from one worker",
	Expects:  diagnosis.CNIDaemonUnreachable,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"cni.agent-stable", "cni.address-headroom"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "rm", "-f", subnetEnv)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return restartAgent(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ls", "-la", "/run/flannel"}),
			onVictim(t),
		}
	},
})
