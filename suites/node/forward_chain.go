// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// No rule and no chain's policy of the node's packet filters (iptables of both
// variants, nftables) drops or rejects what pods of the node send to pods of
// another, or get from there: policy DROP in FORWARD, as Docker sets it, is fine
// where the CNI accepts pods before.
//
// The first packet of a connection, TCP and UDP, is walked through the rules as
// the kernel would; counters are shown and not judged. Rules about other
// addresses, interfaces, ports and states do not concern it (kube-proxy's drop
// of ctstate INVALID is one), and where it depends on marks, sets or queues,
// which NetworkPolicies are made of, nothing is said: pod.other-node sends real
// packets. eBPF programs that drop are not seen.
//
// Turns red with: iptables -I FORWARD -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:    "node.forward-chain",
	Title: "the node's packet filters let pods' packets through",
	Level: check.Required,
	Run: func(ctx context.Context, env *check.Env) error {
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Filters, nodestate.Routes),
			Judge: func(s *nodestate.State) error {
				firewall, err := s.Filters()
				if err != nil {
					return err
				}
				routes, err := s.Routes()
				if err != nil {
					return err
				}
				packets := podPackets(env, s.Node.Name, routes)
				if len(packets) == 0 {
					return &check.NotApplicable{Node: s.Node.Name, Lacks: "pod addresses on this node and on another"}
				}
				var errs []error
				seen := map[string]bool{}
				for _, p := range packets {
					if d := firewall.Forwarded(p); d != nil && !seen[d.Chain+d.Rule] {
						seen[d.Chain+d.Rule] = true
						errs = append(errs, dropped(s.Node.Name, p, *d))
					}
				}
				return errors.Join(errs...)
			},
		})
	},
})

func dropped(node string, p nodestate.Packet, d nodestate.Drop) error {
	by := "the policy of chain " + d.Chain
	if d.Rule != "" {
		by = "a rule of chain " + d.Chain + ": " + d.Rule
	}
	return &check.Failure{
		Node: node, Wanted: fmt.Sprintf("%s from %s to %s port %d to be forwarded", p.Protocol, p.Src, p.Dst, p.DstPort),
		Observed: fmt.Sprintf("dropped by %s (%d packets so far)", by, d.Packets),
	}
}

// podPackets are the first packets of connections between a pod of the node and
// one of a peer, both ways, in each family: ports stand for any, and 53 for DNS.
func podPackets(env *check.Env, node string, routes []nodestate.Route) []nodestate.Packet {
	dev := func(a netip.Addr) string {
		for _, r := range nodestate.To(routes, a) {
			return r.Dev
		}
		return ""
	}
	others := peers(env, node)
	if len(others) == 0 {
		return nil
	}
	var packets []nodestate.Packet
	send := func(src, dst netip.Addr) {
		p := nodestate.Packet{In: dev(src), Out: dev(dst), Src: src, Dst: dst, Protocol: "tcp", DstPort: 8080}
		dns := p
		dns.Protocol, dns.DstPort = "udp", 53
		packets = append(packets, p, dns)
	}
	for _, here := range podAddrs(env, node) {
		for _, there := range podAddrs(env, others[0].Name) {
			if here.Is4() == there.Is4() {
				send(here, there)
				send(there, here)
			}
		}
	}
	return packets
}

// podAddrs are the addresses of the node's probe, else one of each of its pod
// ranges.
func podAddrs(env *check.Env, node string) []netip.Addr {
	var addrs []netip.Addr
	for _, ip := range env.Pods[node].IPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			addrs = append(addrs, a)
		}
	}
	for _, n := range env.Cluster.Nodes {
		if n.Name != node || len(addrs) > 0 {
			continue
		}
		for _, p := range n.PodCIDRs {
			addrs = append(addrs, p.Addr().Next().Next())
		}
	}
	return addrs
}
