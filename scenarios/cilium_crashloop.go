// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Cilium's agent on one worker does not start: its configuration names a tunnel
// protocol that does not exist, and its pod was just replaced. The datapath it
// loaded stays; new pods find nobody to ask for an address.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cilium_crashloop",
	Title:    "Cilium crashes on one worker",
	Expects:  diagnosis.CNIDaemonCrashLoop,
	Topology: "cilium",
	Breaks:   []string{"cni.agent-ready"},
	MayBreak: []string{"cni", "sandbox", "service", "mtu", "dns", "pod"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := editConfigMap(ctx, t, "kube-system", "cilium-config", "tunnel-protocol", func(string) string { return "carrierpigeon" }); err != nil {
			return err
		}
		return crashCilium(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := restoreConfigMap(ctx, t, "kube-system", "cilium-config", "tunnel-protocol"); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: lookAtCilium,
})
