// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Link is a network interface of a node, as `ip link` or `ip addr` prints it.
type Link struct {
	Node, Name string
	// Kind is vxlan, ipip, wireguard, veth, bridge, geneve; empty when the
	// output does not tell (ip without -d) or the interface is physical.
	Kind string
	// Master is the bridge it is a port of.
	Master string
	// Index is the kernel's, higher for those made later in one namespace.
	Index, MTU int
	// Up is the administrative state; Carrier is whether the other side is up.
	Up, Carrier bool
	// Port is the UDP port of a vxlan interface, 0 when unknown.
	Port  int
	Quote Quote
}

// Addr is an address of an interface.
type Addr struct {
	Node, Link string
	Prefix     netip.Prefix
	Quote      Quote
}

// Overlay tells whether the interface carries pod traffic between nodes in
// other packets.
func (l Link) Overlay() bool {
	switch l.Kind {
	case "vxlan", "ipip", "wireguard", "geneve":
		return true
	}
	return strings.HasPrefix(l.Name, "flannel") || l.Name == "vxlan.calico" || l.Name == "cilium_vxlan" ||
		l.Name == "tunl0" || strings.HasPrefix(l.Name, "wireguard") || strings.HasPrefix(l.Name, "geneve")
}

// Overhead is how many bytes of the underlay's MTU an overlay's headers take:
// VXLAN over IPv4 50 (RFC 7348: 14 inner Ethernet, 8 VXLAN, 8 UDP, 20 IP), IPIP
// 20, WireGuard 60.
func (l Link) Overhead() int {
	switch {
	case l.Kind == "ipip" || l.Name == "tunl0":
		return 20
	case l.Kind == "wireguard" || strings.HasPrefix(l.Name, "wireguard"):
		return 60
	case l.Overlay():
		return 50
	}
	return 0
}

// Pod tells whether the interface is the node's end of a pod's.
func (l Link) Pod() bool {
	for _, prefix := range []string{"cali", "veth", "lxc", "vethwepl", "eni"} {
		if strings.HasPrefix(l.Name, prefix) && !strings.HasPrefix(l.Name, "vethwe-") && l.Name != "lxc_health" {
			return true
		}
	}
	return false
}

var (
	linkLine = regexp.MustCompile(`^(\d+): ([^:@\s]+)(?:@[^:\s]+)?: <([^>]*)> mtu (\d+)(.*)$`)
	inetLine = regexp.MustCompile(`^\s+inet6? ([0-9a-fA-F.:]+/\d+)`)
	dstPort  = regexp.MustCompile(`\bdstport (\d+)`)
	master   = regexp.MustCompile(`\bmaster (\S+)`)
)

// linkParser reads the output of ip addr and ip link, with or without -d.
type linkParser struct {
	facts *Facts
	// at is the index of the link whose details follow, -1 for none.
	at int
	// first keeps the first listing of an interface: ip addr and ip link show
	// the same ones.
	first map[string]bool
}

func newLinkParser(f *Facts) *linkParser {
	return &linkParser{facts: f, at: -1, first: map[string]bool{}}
}

func (p *linkParser) line(q Quote) {
	if len(q.Text) > 0 && q.Text[0] >= '0' && q.Text[0] <= '9' {
		m := linkLine.FindStringSubmatch(q.Text)
		if m == nil {
			p.at = -1
			return
		}
		index, _ := strconv.Atoi(m[1])
		mtu, _ := strconv.Atoi(m[4])
		flags := "," + m[3] + ","
		l := Link{Name: m[2], Index: index, MTU: mtu, Quote: q,
			Up: strings.Contains(flags, ",UP,"), Carrier: strings.Contains(flags, ",LOWER_UP,")}
		if mm := master.FindStringSubmatch(m[5]); mm != nil {
			l.Master = mm[1]
		}
		if p.first[l.Name] {
			p.at = -1
			return
		}
		p.first[l.Name] = true
		p.facts.Links = append(p.facts.Links, l)
		p.at = len(p.facts.Links) - 1
		return
	}
	if p.at < 0 || !strings.HasPrefix(q.Text, " ") {
		return
	}
	link := &p.facts.Links[p.at]
	if m := inetLine.FindStringSubmatch(q.Text); m != nil {
		if prefix, err := netip.ParsePrefix(m[1]); err == nil {
			p.facts.Addrs = append(p.facts.Addrs, Addr{Link: link.Name, Prefix: prefix, Quote: q})
		}
		return
	}
	detail := strings.TrimSpace(q.Text)
	for _, kind := range []string{"vxlan", "ipip", "wireguard", "veth", "bridge", "geneve"} {
		if strings.HasPrefix(detail, kind+" ") || detail == kind {
			link.Kind = kind
		}
	}
	if link.Kind == "vxlan" {
		if m := dstPort.FindStringSubmatch(detail); m != nil {
			link.Port, _ = strconv.Atoi(m[1])
		}
	}
}
