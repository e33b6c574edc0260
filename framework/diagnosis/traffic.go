// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// purpose is what a packet that a cluster needs is for.
type purpose string

const (
	podToPod   purpose = "traffic between pods"
	overlayIn  purpose = "the CNI's own traffic from other nodes"
	overlay    purpose = "the CNI's own traffic to other nodes"
	toAPI      purpose = "requests to the API server's Service address"
	toOutside  purpose = "traffic of pods to the outside"
	podToNode  purpose = "traffic between pods and nodes"
	toService  purpose = "traffic to Services"
	toNodePort purpose = "requests for NodePorts"
)

// flow is a packet that must get through a node, and the hooks it meets there.
type flow struct {
	purpose purpose
	packet  fact.Packet
	hooks   []string
}

// outside is an address nobody has (RFC 5737), for traffic to the world.
var outside = netip.MustParseAddr("192.0.2.1")

// flows are the packets a node must let through, from what is known of its
// pods, its peers and its interfaces.
func flows(f *fact.Facts, node string) []flow {
	var all []flow
	local, remote := podAddresses(f, node)
	if len(local) > 0 {
		pod := local[0]
		podDev := device(f, node, pod)
		// A neighbour on the same bridge, which may be made up, and a pod of each
		// other node.
		peers := remote
		neighbour := pod.Next()
		if len(local) > 1 {
			neighbour = local[1]
		}
		if podDev != "" && device(f, node, neighbour) == podDev {
			peers = append([]netip.Addr{neighbour}, remote...)
		}
		for _, peer := range peers {
			peerDev := device(f, node, peer)
			for _, port := range []struct {
				protocol string
				number   int
			}{{"tcp", 8080}, {"udp", 8082}, {"udp", 53}} {
				all = append(all,
					flow{podToPod, fact.Packet{In: podDev, Out: peerDev, Src: pod, Dst: peer, Protocol: port.protocol, DstPort: port.number}, forwarded},
					flow{podToPod, fact.Packet{In: peerDev, Out: podDev, Src: peer, Dst: pod, Protocol: port.protocol, DstPort: port.number}, forwarded})
			}
		}
		all = append(all, flow{toOutside, fact.Packet{In: podDev, Out: device(f, node, outside), Src: pod, Dst: outside, Protocol: "tcp", DstPort: 443}, forwarded})
	}
	all = append(all, hostFlows(f, node)...)
	return append(all, failed(f, node)...)
}

// observed is what a check says of a packet that got no answer.
var observed = regexp.MustCompile(`\b(tcp|udp|https?|dns|bulk)(?: |://| https?://)((?:\d{1,3}\.){3}\d{1,3}):(\d+)`)

// failed are the packets whose loss the failed check reports, as far as they
// meet the node.
func failed(f *fact.Facts, node string) []flow {
	if f.Check == nil {
		return nil
	}
	local, _ := podAddresses(f, node)
	self, _ := nodeAddress(f, node)
	var all []flow
	for _, failure := range f.Check.Failures {
		for _, match := range observed.FindAllStringSubmatch(failure.Observed, -1) {
			dst, err := netip.ParseAddr(match[2])
			port, portErr := strconv.Atoi(match[3])
			if err != nil || portErr != nil {
				continue
			}
			protocol := "tcp"
			if match[1] == "udp" || match[1] == "dns" {
				protocol = "udp"
			}
			src, from := sender(f, failure.Node)
			if !from {
				continue
			}
			p := fact.Packet{Src: src, Dst: dst, Protocol: protocol, DstPort: port, In: device(f, node, src), Out: device(f, node, dst)}
			why, isNode := kindOf(f, dst, port)
			switch {
			case failure.Node == node && src == self:
				p.In = ""
				all = append(all, flow{why, p, sent})
			case failure.Node == node && len(local) > 0 && isNode && dst == self:
				all = append(all, flow{why, p, received})
			case failure.Node == node && why == toService:
				all = append(all, flow{why, p, forwarded[:1]})
			case failure.Node == node && len(local) > 0:
				all = append(all, flow{why, p, forwarded})
			case dst == self:
				all = append(all, flow{why, p, received[:1]})
			case slices.Contains(local, dst):
				all = append(all, flow{why, p, forwarded})
			}
		}
	}
	return all
}

// sender is where a packet of a check on the node came from: a pod of it, or the
// node where the check says that it was the node's own network.
func sender(f *fact.Facts, node string) (netip.Addr, bool) {
	if node == "" {
		return outside, true
	}
	if f.Check != nil && strings.Contains(f.Check.ID, "from-host-network") {
		return nodeAddress(f, node)
	}
	local, _ := podAddresses(f, node)
	if len(local) == 0 {
		return netip.Addr{}, false
	}
	return local[0], true
}

// kindOf tells what traffic to an address is for, and whether it is a node's.
func kindOf(f *fact.Facts, dst netip.Addr, port int) (_ purpose, isNode bool) {
	for _, s := range f.Services {
		if s.ClusterIP == dst.String() {
			return toService, false
		}
	}
	for _, n := range f.Nodes {
		if addr, ok := nodeAddress(f, n.Name); ok && addr == dst {
			if port >= 30000 && port <= 32767 { // kube-apiserver's default --service-node-port-range
				return toNodePort, true
			}
			return podToNode, true
		}
		for _, cidr := range n.PodCIDRs {
			if p, err := netip.ParsePrefix(cidr); err == nil && p.Contains(dst) {
				return podToPod, false
			}
		}
	}
	for _, p := range f.Pods {
		if p.IP == dst.String() {
			return podToPod, false
		}
	}
	return toOutside, false
}

var (
	forwarded = []string{"prerouting", "forward", "postrouting"}
	received  = []string{"prerouting", "input"}
	sent      = []string{"output", "postrouting"}
)

// hostFlows are the packets of the node itself: the CNI's to its peers, and to
// the API server.
func hostFlows(f *fact.Facts, node string) []flow {
	var all []flow
	self, ok := nodeAddress(f, node)
	if !ok {
		return nil
	}
	peers := 0
	for _, n := range f.Nodes {
		peer, ok := nodeAddress(f, n.Name)
		if n.Name == node || !ok {
			continue
		}
		dev := device(f, node, peer)
		for _, p := range overlayPorts(f, node) {
			all = append(all,
				flow{overlayIn, fact.Packet{In: dev, Src: peer, Dst: self, Protocol: p.protocol, DstPort: p.port}, received},
				flow{overlay, fact.Packet{Out: dev, Src: self, Dst: peer, Protocol: p.protocol, DstPort: p.port}, sent})
		}
		// The node's own default route is the way in from the world.
		all = append(all, flow{toNodePort, fact.Packet{In: device(f, node, outside), Src: outside, Dst: self, Protocol: "tcp", DstPort: 31000}, received[:1]})
		if peers++; peers == mostPeers {
			break
		}
	}
	for _, s := range f.Services {
		if s.Name != "kubernetes" || s.Namespace != "default" {
			continue
		}
		if vip, err := netip.ParseAddr(s.ClusterIP); err == nil {
			all = append(all, flow{toAPI, fact.Packet{Out: device(f, node, vip), Src: self, Dst: vip, Protocol: "tcp", DstPort: 443}, sent})
		}
	}
	return all
}

// mostPeers is how many other nodes are asked about: a rule may be about one.
const mostPeers = 20

type overlayPort struct {
	protocol string
	port     int
}

// overlayPorts are what the CNI's nodes talk on, by the interfaces it made:
// flannel's VXLAN port is 8472, Calico's the IANA one.
func overlayPorts(f *fact.Facts, node string) []overlayPort {
	var found []overlayPort
	for _, l := range f.Links {
		if l.Node != node {
			continue
		}
		switch {
		case l.Kind == "vxlan" && l.Port > 0 && !strings.HasPrefix(l.Name, "vxlan-678"):
			found = append(found, overlayPort{"udp", l.Port})
		case strings.HasPrefix(l.Name, "flannel."), l.Name == "cilium_vxlan":
			found = append(found, overlayPort{"udp", 8472})
		case l.Name == "vxlan.calico":
			found = append(found, overlayPort{"udp", 4789})
		case l.Name == "weave":
			found = append(found, overlayPort{"tcp", 6783}, overlayPort{"udp", 6783}, overlayPort{"udp", 6784})
		}
	}
	return found
}

// podAddresses returns addresses of pods on the node and on others; where no
// pod is known, one out of the node's range stands for them.
func podAddresses(f *fact.Facts, node string) (local, remote []netip.Addr) {
	seen := map[string]bool{}
	for _, p := range f.Pods {
		addr, err := netip.ParseAddr(p.IP)
		if err != nil || p.HostNetwork || p.Node == "" || !addr.Is4() {
			continue
		}
		switch {
		case p.Node == node:
			local = append(local, addr)
		case !seen[p.Node] && len(seen) < mostPeers: // one of each other node
			seen[p.Node] = true
			remote = append(remote, addr)
		}
	}
	for _, n := range f.Nodes {
		for _, cidr := range n.PodCIDRs {
			prefix, err := netip.ParsePrefix(cidr)
			if err != nil || !prefix.Addr().Is4() || prefix.Bits() > 30 {
				continue
			}
			some := prefix.Addr().Next().Next()
			if n.Name == node && len(local) == 0 {
				local = append(local, some)
			}
			if n.Name != node && !slices.ContainsFunc(remote, prefix.Contains) && len(remote) == 0 {
				remote = append(remote, some)
			}
		}
	}
	return local, remote
}

func nodeAddress(f *fact.Facts, node string) (netip.Addr, bool) {
	n, _ := f.NodeByName(node)
	for _, a := range n.Addresses {
		if addr, err := netip.ParseAddr(a); err == nil && addr.Is4() {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// device is the interface a node sends packets to an address through, empty
// when its routes are not known.
func device(f *fact.Facts, node string, dst netip.Addr) string {
	r, _ := f.RouteTo(node, dst)
	return r.Dev
}

// drop is a packet filter decision against something the cluster needs.
type drop struct {
	node    string
	purpose purpose
	packet  fact.Packet
	quote   fact.Quote
	// undo is the command that takes the rule away.
	undo string
	// hit tells that the rule's counter shows that it dropped packets; a
	// listing without counters counts as hit.
	hit bool
}

// drops judges each node's flows by its filters.
func drops(f *fact.Facts) []drop {
	var found []drop
	for _, filter := range f.Filters {
		if filter.V6 {
			continue
		}
		for _, fl := range flows(f, filter.Node) {
			d := filter.Judge(fl.packet, fl.hooks...)
			if !d.Dropped || !d.Sure {
				continue
			}
			one := drop{node: filter.Node, purpose: fl.purpose, packet: fl.packet, quote: d.Chain.Quote,
				undo: "iptables -P " + d.Chain.Name + " ACCEPT", hit: d.Chain.PolicyPackets > 0}
			if d.Rule != nil {
				one.quote, one.hit = d.Rule.Quote, d.Rule.Packets > 0 || !d.Rule.Counted
				one.undo = undo(filter, d)
			} else if filter.Tool == "nft" {
				one.undo = "nft list chain " + d.Chain.Table + " " + d.Chain.Name + "   # then change its policy to accept"
			}
			if !slices.ContainsFunc(found, func(o drop) bool { return o.node == one.node && o.quote == one.quote && o.purpose == one.purpose }) {
				found = append(found, one)
			}
		}
	}
	return found
}

// savedRule is a rule of iptables-save without its counters.
var savedRule = regexp.MustCompile(`^(?:\[\d+:\d+\] )?-A (.*)$`)

func undo(filter *fact.Filter, d fact.Decision) string {
	if filter.Tool == "nft" {
		return "nft -a list chain " + d.Chain.Table + " " + d.Chain.Name + "   # then: nft delete rule " + d.Chain.Table + " " + d.Chain.Name + " handle <number>"
	}
	if m := savedRule.FindStringSubmatch(d.Rule.Quote.Text); m != nil {
		return "iptables -t " + d.Chain.Table + " -D " + m[1]
	}
	return "iptables -t " + d.Chain.Table + " -S " + d.Chain.Name
}

// apiDrops are decisions against requests to the API server.
func apiDrops(f *fact.Facts) []drop {
	return slices.DeleteFunc(drops(f), func(d drop) bool { return d.purpose != toAPI })
}
