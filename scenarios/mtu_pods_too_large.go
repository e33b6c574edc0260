// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// flannel's subnet.env of one worker promises pods an MTU of 1500, which the tunnel
// cannot carry: pods started from then on announce too large segments, as after a
// change of the underlay's MTU that the agent did not see.
var _ = scenario.Register(scenario.Scenario{
	Name:     "mtu_pods_too_large",
	Title:    "new pods of one worker get a larger MTU than the tunnel's",
	Expects:  diagnosis.MTUMismatch,
	Topology: "two-node",
	Breaks:   []string{"mtu.headers"},
	MayBreak: []string{"mtu.agree", "mtu.path", "mtu.same-node", "mtu.service", "mtu.bulk-tcp"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := shell(ctx, t, `sed -i s/^FLANNEL_MTU=.*/FLANNEL_MTU=1500/ `+subnetEnv); err != nil {
			return err
		}
		return renewProbes(ctx, t)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := shell(ctx, t, `sed -i s/^FLANNEL_MTU=.*/FLANNEL_MTU=$(cat /sys/class/net/flannel.1/mtu)/ `+subnetEnv+`; ip link set cni0 mtu $(cat /sys/class/net/flannel.1/mtu)`); err != nil {
			return err
		}
		return renewProbes(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"cat", "/run/flannel/subnet.env"}),
			t.Cluster.Access.Describe(t.Node, []string{"ip", "-d", "link"}),
		}
	},
})
