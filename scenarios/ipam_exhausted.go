// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

const leakyRange = "leaky-range"

// host-local of one worker has handed out its whole range: leases of pods that are
// long gone fill it, as after crashes that kept DEL from running. New pods get no
// address. Once would not do: a pod that goes just then frees its own, and each look
// at the cluster makes such pods, so what leaks is a unit of the node's that takes
// every address that is free.
var _ = scenario.Register(scenario.Scenario{
	Name:     "ipam_exhausted",
	Title:    "every address of one worker's pod range is leased",
	Expects:  diagnosis.IPAMExhausted,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"cni.address-headroom", "sandbox.no-address-leak"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		// systemd replaces what looks like ${...} itself.
		return shell(ctx, t, `. `+subnetEnv+`; systemd-run --unit=`+leakyRange+` --working-directory=/var/lib/cni/networks/cbr0 sh -c '`+
			`while for i in $(seq 2 254); do [ -e $1.$i ] || printf "cniproof-%s\r\neth0" $i >$1.$i; done; do sleep 0.5; done' sh ${FLANNEL_SUBNET%.*}`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, `systemctl stop `+leakyRange+` 2>/dev/null; cd /var/lib/cni/networks/cbr0 && grep -l ^cniproof- ./10.* 2>/dev/null | xargs -r rm -f`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"sh", "-c", "ls /var/lib/cni/networks/cbr0 | wc -l"}),
			t.Cluster.Access.Describe(t.Node, []string{"systemctl", "status", leakyRange}),
			onVictim(t),
		}
	},
})
