// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Two workers have a second network between them, and one of them answers the other
// by it, while the other goes on sending by the first. That alone works: but the
// reverse path filter of the first network's interface is strict, and drops whatever
// comes in by another interface than the answer would leave by (RFC 3704, section
// 2.2), the tunnel's packets too.
//
// The second network is a VXLAN of its own beside flannel's. The higher of a node's
// setting for all interfaces and that for one counts, so both are set. The neighbour is
// a worker: were it the control plane, what the API server sends would be dropped too.
var _ = scenario.Register(scenario.Scenario{
	Name:     "rp_filter_strict",
	Title:    "one worker has a strict reverse path filter and answers its neighbour by another interface",
	Expects:  diagnosis.RPFilterStrict,
	Topology: "default",
	Breaks:   []string{"node.rp-filter", "pod.other-node"},
	MayBreak: []string{"pod", "service", "dns", "mtu", "egress"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		here, there, err := ends(t)
		if err != nil {
			return err
		}
		err = shell(ctx, beside(t), secondNetwork(there, here)+` && sysctl -qw net.ipv4.conf.side.rp_filter=2`)
		if err != nil {
			return err
		}
		if err := keepOutput(ctx, t, "sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.eth0.rp_filter", rpFilters); err != nil {
			return err
		}
		return shell(ctx, t, secondNetwork(here, there)+` && sysctl -qw net.ipv4.conf.side.rp_filter=2 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1 && ip route replace `+there+`/32 dev side src `+here)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		err := shell(ctx, t, `ip link del side 2>/dev/null; [ ! -e `+rpFilters+` ] || { sysctl -qp `+rpFilters+` && rm `+rpFilters+`; }`)
		if err != nil {
			return err
		}
		return shell(ctx, beside(t), `ip link del side 2>/dev/null; true`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"sh", "-c", "ip route; sysctl -a 2>/dev/null | grep '\\.rp_filter'; nstat -az TcpExtIPReversePathFilter"}),
		}
	},
})

const rpFilters = kept + "/rp_filter"

// secondNetwork is the command that makes one end of it. A link that is there
// already is good.
func secondNetwork(local, remote string) string {
	return fmt.Sprintf(`{ ip link show side >/dev/null 2>&1 || ip link add side type vxlan id 77 local %s remote %s dstport 4791 dev eth0; } && ip link set side up`, local, remote)
}

// beside is the victim's neighbour as a target.
func beside(t scenario.Target) scenario.Target {
	t.Node = peer(t).Name
	return t
}

// ends are the IPv4 addresses of the victim and of its neighbour.
func ends(t scenario.Target) (here, there string, err error) {
	for _, n := range t.Cluster.Nodes {
		switch n.Name {
		case t.Node:
			here = fourOf(n)
		case peer(t).Name:
			there = fourOf(n)
		}
	}
	if here == "" || there == "" {
		return "", "", fmt.Errorf("%s or %s has no IPv4 address", t.Node, peer(t).Name)
	}
	return here, there, nil
}

func fourOf(n cluster.Node) string {
	for _, ip := range n.InternalIPs {
		if ip.Is4() {
			return ip.String()
		}
	}
	return ""
}
