// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The permissions of Cilium's service account are gone, and its agent on one worker
// was just replaced: the API server answers, and refuses.
var _ = scenario.Register(scenario.Scenario{
	Name:     "cilium_unauthorized",
	Title:    "Cilium has lost its permissions",
	Expects:  diagnosis.CNIUnauthorized,
	Topology: "cilium",
	Breaks:   []string{"cni.agent-ready"},
	MayBreak: []string{"cni", "sandbox", "service", "mtu", "dns", "pod"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := bindCilium(ctx, t, "nobody"); err != nil {
			return err
		}
		return crashCilium(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := bindCilium(ctx, t, "cilium"); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: lookAtCilium,
})
