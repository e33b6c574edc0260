// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
)

// Neighbours and FDB are how the kernel finds the Ethernet address of a next
// hop, and for that the tunnel's other end.
var (
	Neighbours = Part{"its neighbour table", "ip -j neigh"}
	FDB        = Part{"its forwarding database", "bridge -j fdb"}
)

// Neighbour is an entry of the neighbour table (ARP, NDP).
type Neighbour struct {
	Addr netip.Addr `json:"dst"`
	Dev  string     `json:"dev"`
	MAC  string     `json:"lladdr"`
	// State is PERMANENT, REACHABLE, STALE, FAILED ...
	State []string `json:"state"`
}

// Neighbours needs part Neighbours.
func (s *State) Neighbours() ([]Neighbour, error) { return list[Neighbour](s, Neighbours) }

// Forward is an entry of the forwarding database of a bridge or a VXLAN
// interface.
type Forward struct {
	MAC string `json:"mac"`
	Dev string `json:"ifname"`
	// Dst is where a VXLAN interface sends to, empty for a bridge's entry.
	Dst string `json:"dst"`
}

// FDB needs part FDB.
func (s *State) FDB() ([]Forward, error) { return list[Forward](s, FDB) }

func list[T any](s *State, p Part) ([]T, error) {
	out, err := s.text(p)
	if err != nil {
		return nil, err
	}
	var all []T
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, s.unread(p, err)
	}
	return all, nil
}

// Tunnel is how a VXLAN interface finds the other end of a next hop.
type Tunnel struct {
	Neighbours []Neighbour
	FDB        []Forward
}

// Tunnel needs parts Neighbours and FDB.
func (s *State) Tunnel() (Tunnel, error) {
	neighbours, err := s.Neighbours()
	if err != nil {
		return Tunnel{}, err
	}
	fdb, err := s.FDB()
	return Tunnel{neighbours, fdb}, err
}

// End is the address the interface dev sends packets for the next hop to. What
// is missing says what the kernel lacks; it is empty when end is valid.
func (t Tunnel) End(dev string, next netip.Addr) (end netip.Addr, missing string) {
	i := slices.IndexFunc(t.Neighbours, func(n Neighbour) bool {
		return n.Dev == dev && n.Addr == next && n.MAC != "" && !slices.Contains(n.State, "FAILED")
	})
	if i < 0 {
		return end, "no neighbour entry for " + next.String() + " on " + dev
	}
	mac := t.Neighbours[i].MAC
	for _, f := range t.FDB {
		if f.Dev == dev && strings.EqualFold(f.MAC, mac) {
			if end, err := netip.ParseAddr(f.Dst); err == nil {
				return end, ""
			}
		}
	}
	return end, "no forwarding entry for " + mac + " (" + next.String() + ") on " + dev
}
