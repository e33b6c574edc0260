// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Route is one of a node's routes, as `ip route` prints it.
type Route struct {
	Node string
	// Kind is unicast, blackhole, unreachable, prohibit, local, broadcast.
	Kind string
	// Dst is the destination; the default route has length 0.
	Dst   netip.Prefix
	Via   netip.Addr
	Dev   string
	Table string
	// MTU is the route's own, 0 when it has none.
	MTU int
	// Down tells that the kernel does not use it: it is dead. One whose interface
	// has no carrier is used all the same.
	Down  bool
	Quote Quote
}

var routeLine = regexp.MustCompile(`^(?:(unicast|blackhole|unreachable|prohibit|local|broadcast|throw) )?(default|\d+\.\d+\.\d+\.\d+(?:/\d+)?|[0-9a-fA-F]*:[0-9a-fA-F:]*(?:/\d+)?)((?: \S+)*)\s*$`)

// notRoute are words that lines of the neighbour table have and routes do not.
var notRoute = regexp.MustCompile(`\b(lladdr|REACHABLE|STALE|FAILED|INCOMPLETE|PERMANENT|NOARP|DELAY|PROBE)\b`)

// routeParser reads the output of ip route, with or without -d and a table.
type routeParser struct {
	facts *Facts
}

func (p *routeParser) line(q Quote) {
	if q.Text == "" || !strings.Contains(q.Text, " ") || len(q.Text) > 400 {
		return
	}
	m := routeLine.FindStringSubmatch(q.Text)
	if m == nil || notRoute.MatchString(q.Text) {
		return
	}
	r := Route{Kind: m[1], Table: "main", Quote: q}
	if r.Kind == "" {
		r.Kind = "unicast"
	}
	fields := strings.Fields(m[3])
	known := m[1] != ""
	for i := 0; i+1 < len(fields); i++ {
		value := fields[i+1]
		switch fields[i] {
		case "via":
			r.Via, _ = netip.ParseAddr(value)
			known = true
		case "dev":
			r.Dev = value
			known = true
		case "table":
			r.Table = value
		case "mtu":
			r.MTU, _ = strconv.Atoi(value)
		}
	}
	r.Down = strings.Contains(m[3], " dead")
	dst, ok := destination(m[2], r.Via)
	if !ok || !known {
		return
	}
	r.Dst = dst
	p.facts.Routes = append(p.facts.Routes, r)
}

func destination(text string, via netip.Addr) (netip.Prefix, bool) {
	if text == "default" {
		if via.Is6() {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0), true
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Masked(), true
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// RoutesOf returns a node's routes of the tables a packet to a pod meets.
func (f *Facts) RoutesOf(node string) []Route {
	var of []Route
	for _, r := range f.Routes {
		if r.Node == node && r.Table != "local" && r.Kind != "broadcast" {
			of = append(of, r)
		}
	}
	return of
}

// RouteTo returns the route a node has to an address: the longest prefix.
func (f *Facts) RouteTo(node string, dst netip.Addr) (Route, bool) {
	var best Route
	found := false
	for _, r := range f.RoutesOf(node) {
		if r.Down || !r.Dst.Contains(dst) {
			continue
		}
		if !found || r.Dst.Bits() > best.Dst.Bits() {
			best, found = r, true
		}
	}
	return best, found
}
