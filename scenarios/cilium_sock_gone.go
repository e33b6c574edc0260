// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The socket of Cilium's agent is gone from one worker, as when somebody cleaned up
// /var/run. The agent runs and is ready; its plugin cannot reach it.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cilium_sock_gone",
	Title:    "the socket of Cilium's agent is gone from one worker",
	Expects:  diagnosis.CNIDaemonUnreachable,
	Topology: "cilium",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"cni", "sandbox"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return onNode(ctx, t, "rm", ciliumSock)
	},
	Heal: restartAgent,
	Look: lookAtCilium,
})
