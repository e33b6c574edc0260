// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Routes are the routes of all tables but the local one, of both families.
var Routes = Part{"its routes", "ip -j -4 route show table all; ip -j -6 route show table all"}

// Route is one route, or one next hop of it.
type Route struct {
	// Kind is unicast, blackhole, unreachable, prohibit, throw.
	Kind string
	// Dst is the destination; the default route has length 0.
	Dst netip.Prefix
	// Via is the gateway; not valid where there is none.
	Via netip.Addr
	Dev string
	// Dead tells that the kernel does not use it; one whose interface merely has
	// no carrier is used.
	Dead bool
}

func (r Route) String() string {
	text := r.Dst.String()
	if r.Kind != "unicast" {
		text = r.Kind + " " + text
	}
	if r.Via.IsValid() {
		text += " via " + r.Via.String()
	}
	if r.Dev != "" {
		text += " dev " + r.Dev
	}
	if r.Dead {
		text += " dead"
	}
	return text
}

// Routes needs part Routes.
func (s *State) Routes() ([]Route, error) {
	out, err := s.text(Routes)
	if err != nil {
		return nil, err
	}
	routes, err := parseRoutes(out)
	if err != nil {
		return nil, s.unread(Routes, err)
	}
	return routes, nil
}

type hop struct {
	Gateway netip.Addr `json:"gateway"`
	// Via is a gateway of the other family.
	Via struct {
		Host netip.Addr `json:"host"`
	} `json:"via"`
	Dev   string   `json:"dev"`
	Flags []string `json:"flags"`
}

// entry is one element of what ip -j route prints.
type entry struct {
	Type string `json:"type"`
	Dst  string `json:"dst"`
	hop
	Hops []hop `json:"nexthops"`
}

// parseRoutes reads the list of IPv4 routes and the list of IPv6 routes.
func parseRoutes(out []byte) ([]Route, error) {
	var routes []Route
	lists := json.NewDecoder(bytes.NewReader(out))
	for v6 := false; lists.More(); v6 = true {
		var list []entry
		if err := lists.Decode(&list); err != nil {
			return nil, err
		}
		for _, e := range list {
			if slices.Contains([]string{"local", "broadcast", "multicast", "anycast"}, e.Type) {
				continue
			}
			dst, err := destination(e.Dst, v6)
			if err != nil {
				return nil, err
			}
			hops := e.Hops
			if len(hops) == 0 {
				hops = []hop{e.hop}
			}
			for _, h := range hops {
				r := Route{Kind: cmp.Or(e.Type, "unicast"), Dst: dst, Via: h.Gateway, Dev: h.Dev, Dead: slices.Contains(h.Flags, "dead")}
				if !r.Via.IsValid() {
					r.Via = h.Via.Host
				}
				routes = append(routes, r)
			}
		}
	}
	return routes, nil
}

func destination(text string, v6 bool) (netip.Prefix, error) {
	switch {
	case text == "default" && v6:
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil
	case text == "default":
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	case strings.Contains(text, "/"):
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	return netip.PrefixFrom(addr, addr.BitLen()), err
}

// To are the routes for the address: those of the longest prefix. Rules and
// tables are not looked at; Ways asks the kernel.
func To(routes []Route, addr netip.Addr) []Route {
	var best []Route
	for _, r := range routes {
		if !r.Dst.Contains(addr) || r.Dead {
			continue
		}
		switch {
		case len(best) == 0 || r.Dst.Bits() > best[0].Dst.Bits():
			best = []Route{r}
		case r.Dst.Bits() == best[0].Dst.Bits():
			best = append(best, r)
		}
	}
	return best
}

// Ways asks the node's kernel for the way to each address, with all its rules
// and tables (ip route get).
func Ways(addrs []netip.Addr) Part {
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	return Part{"its way to its peers", fmt.Sprintf(`for a in %s; do echo "$a $(ip -j route get $a 2>/dev/null | tr -d "\n")"; done`, strings.Join(words, " "))}
}

// Ways are the interfaces packets to the addresses leave by; those without a
// way are not in the map. It needs part Ways of the same addresses.
func (s *State) Ways(addrs []netip.Addr) (map[netip.Addr]string, error) {
	p := Ways(addrs)
	out, err := s.text(p)
	if err != nil {
		return nil, err
	}
	ways := map[netip.Addr]string{}
	for line := range strings.Lines(string(out)) {
		word, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		addr, err := netip.ParseAddr(word)
		var found []hop
		if err != nil || json.Unmarshal([]byte(text), &found) != nil || len(found) == 0 {
			continue
		}
		ways[addr] = found[0].Dev
	}
	return ways, nil
}
