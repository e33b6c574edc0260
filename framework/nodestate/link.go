// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"encoding/json"
	"net/netip"
	"slices"
)

// Links are the node's network interfaces with their addresses.
var Links = Part{"its interfaces", "ip -j -d addr"}

// Link is a network interface.
type Link struct {
	Name string
	// Kind is bridge, veth, vxlan, ipip, vrf ..., empty for hardware.
	Kind string
	// Master is the bridge or bond it is a port of.
	Master string
	// Peered tells that its other end is in another network namespace.
	Peered bool
	Up     bool
	MAC    string
	Addrs  []netip.Prefix
	// Filtered and Filtered6 tell that a bridge shows what it switches to
	// iptables and ip6tables by its own setting.
	Filtered, Filtered6 bool
}

// Links needs part Links.
func (s *State) Links() ([]Link, error) {
	out, err := s.text(Links)
	if err != nil {
		return nil, err
	}
	links, err := parseLinks(out)
	if err != nil {
		return nil, s.unread(Links, err)
	}
	return links, nil
}

func parseLinks(out []byte) ([]Link, error) {
	var all []struct {
		Name   string   `json:"ifname"`
		Master string   `json:"master"`
		Flags  []string `json:"flags"`
		MAC    string   `json:"address"`
		// Netns is a number or absent: 0 is another namespace too.
		Netns *int `json:"link_netnsid"`
		Info  struct {
			Kind string `json:"info_kind"`
			Data struct {
				IPTables  int `json:"nf_call_iptables"`
				IP6Tables int `json:"nf_call_ip6tables"`
			} `json:"info_data"`
		} `json:"linkinfo"`
		Addrs []struct {
			Local netip.Addr `json:"local"`
			Bits  int        `json:"prefixlen"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, err
	}
	var links []Link
	for _, l := range all {
		if l.Name == "" {
			continue // iproute2 prints empty objects for what it filtered out
		}
		link := Link{
			Name: l.Name, Kind: l.Info.Kind, Master: l.Master, MAC: l.MAC, Peered: l.Netns != nil, Up: slices.Contains(l.Flags, "UP"),
			Filtered: l.Info.Data.IPTables == 1, Filtered6: l.Info.Data.IP6Tables == 1,
		}
		for _, a := range l.Addrs {
			link.Addrs = append(link.Addrs, netip.PrefixFrom(a.Local, a.Bits))
		}
		links = append(links, link)
	}
	return links, nil
}

// Holder is the interface that has the address, nil when none has.
func Holder(links []Link, addr netip.Addr) *Link {
	i := slices.IndexFunc(links, func(l Link) bool {
		return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == addr })
	})
	if i < 0 {
		return nil
	}
	return &links[i]
}
