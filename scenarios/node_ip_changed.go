// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// One worker got another address, as from DHCP after a restart. Its kubelet, which was
// told the old one (--node-ip), keeps reporting that and reaches the API server all
// the same; the other nodes send its pods' packets, and the API server its requests
// for logs and exec, to an address that nobody has.
//
// The new address is the last of the nodes' network, which Docker gives out last.
var _ = scenario.Register(scenario.Scenario{
	Name:     "node_ip_changed",
	Title:    "the address of one worker changed",
	Expects:  diagnosis.NodeIPChanged,
	Topology: "two-node",
	Breaks:   []string{"node.internal-ip"},
	MayBreak: []string{"node", "cni", "sandbox", "pod", "service", "dns", "mtu", "egress"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := keepOutput(ctx, t, `ip -4 -o addr show dev eth0 scope global | awk '{print $4, $6; exit}'`, oldAddress); err != nil {
			return err
		}
		if err := keepOutput(ctx, t, "ip -4 route show default", oldGateway); err != nil {
			return err
		}
		return shell(ctx, t, fmt.Sprintf(`read address broadcast <%s && ip -4 addr flush dev eth0 && ip addr add ${broadcast%%.*}.254/${address#*/} brd + dev eth0 && ip route replace $(cat %s)`, oldAddress, oldGateway))
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		err := shell(ctx, t, fmt.Sprintf(`[ ! -e %[1]s ] || { read address broadcast <%[1]s && ip -4 addr flush dev eth0 && ip addr add $address brd + dev eth0 && ip route replace $(cat %[2]s) && rm %[1]s %[2]s; }`, oldAddress, oldGateway))
		if err != nil {
			return err
		}
		return nodeReady(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"ip", "-4", "addr", "show", "eth0"}),
			"kubectl get node -o wide " + t.Node,
		}
	},
})

const (
	oldAddress = kept + "/address"
	oldGateway = kept + "/gateway"
)
