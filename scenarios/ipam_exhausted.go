// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// host-local of one worker has handed out its whole range: leases of pods that are
// long gone fill it, as after crashes that kept DEL from running. New pods get no
// address.
var _ = scenario.Register(scenario.Scenario{
	Name:     "ipam_exhausted",
	Title:    "every address of one worker's pod range is leased",
	Expects:  diagnosis.IPAMExhausted,
	Topology: "default",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"cni.address-headroom", "sandbox.no-address-leak"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, `. `+subnetEnv+`; n=${FLANNEL_SUBNET%.*}; cd /var/lib/cni/networks/cbr0 && for i in $(seq 2 254); do [ -e $n.$i ] || printf 'cniproof-%s\r\neth0' $i >$n.$i; done`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, `cd /var/lib/cni/networks/cbr0 && grep -l ^cniproof- ./10.* 2>/dev/null | xargs -r rm -f`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"sh", "-c", "ls /var/lib/cni/networks/cbr0 | wc -l"}),
			onVictim(t),
		}
	},
})
