// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody set jumbo frames on both ends of the pods' interfaces of one worker, and
// nothing between the nodes carries them. Pods made from then on are well.
//
// A bridge takes the smallest MTU of its ports where it was not set, so that Heal sets
// the bridge's too.
var _ = scenario.Register(scenario.Scenario{
	Name:     "mtu_pod_interface",
	Title:    "the interfaces of one worker's pods have a larger MTU than the tunnel",
	Expects:  diagnosis.MTUMismatch,
	Topology: "two-node",
	Breaks:   []string{"mtu.headers"},
	MayBreak: []string{"mtu"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepOutput(ctx, t, "cat /sys/class/net/cni0/mtu", podMTU); err != nil {
			return err
		}
		return shell(ctx, t, `for n in /run/netns/cni-*; do ip -n ${n##*/} link set eth0 mtu 9000 || exit; done; for v in /sys/class/net/cni0/brif/*; do ip link set ${v##*/} mtu 9000 || exit; done`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		// Pods come and go meanwhile.
		return shell(ctx, t, `[ -e `+podMTU+` ] || exit 0; m=$(cat `+podMTU+`)
for n in /run/netns/cni-*; do ip -n ${n##*/} link set eth0 mtu $m 2>/dev/null; done
for v in /sys/class/net/cni0/brif/*; do ip link set ${v##*/} mtu $m 2>/dev/null; done
ip link set cni0 mtu $m && rm `+podMTU)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"sh", "-c", "ip link | grep mtu; for n in /run/netns/cni-*; do ip -n ${n##*/} link show eth0; done"}),
		}
	},
})

const podMTU = kept + "/pod-mtu"
