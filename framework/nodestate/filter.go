// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// Filters are all packet filters of the node. The legacy variant only reads the
// tables that exist and loads no module.
var Filters = Part{"its packet filters", `for v in '' 6; do
ip${v}tables-legacy-save -c 2>/dev/null
ip${v}tables-nft-save -c 2>/dev/null || ip${v}tables-save -c 2>/dev/null
done
nft list ruleset 2>/dev/null`}

// Packet is the first packet of a connection that the node forwards.
type Packet struct {
	// In and Out are interfaces, empty where not known.
	In, Out  string
	Src, Dst netip.Addr
	// Protocol is tcp or udp.
	Protocol string
	DstPort  int
}

// Drop is a rule, or the policy of a chain, that ends a packet.
type Drop struct {
	// Chain is table and name; Rule is as iptables-save or nft print it, empty
	// for the chain's policy.
	Chain, Rule string
	// Packets are those it dropped so far.
	Packets uint64
}

// Firewall is the node's packet filters.
type Firewall struct{ filters []*fact.Filter }

// Filters needs part Filters.
func (s *State) Filters() (Firewall, error) {
	out, err := s.text(Filters)
	if err != nil {
		return Firewall{}, err
	}
	filters := fact.ReadFilters(string(out))
	if len(filters) == 0 {
		return Firewall{}, s.unread(Filters, errors.New("neither iptables-save nor nft list anything"))
	}
	return Firewall{filters}, nil
}

// Forwarded walks the packet through the hooks of a forwarded one. It returns
// nil where nothing drops it for sure: rules that ask for marks, sets and other
// things that a listing does not tell may accept or drop it.
func (f Firewall) Forwarded(p Packet) *Drop {
	for _, filter := range f.filters {
		filter := concerning(filter, p.Src.Is6())
		d := filter.Judge(fact.Packet(p), "prerouting", "forward", "postrouting")
		switch {
		case !d.Dropped || !d.Sure:
		case d.Rule != nil:
			return &Drop{Chain: d.Chain.Table + " " + d.Chain.Name, Rule: strings.TrimSpace(d.Rule.Quote.Text), Packets: d.Rule.Packets}
		default:
			return &Drop{Chain: d.Chain.Table + " " + d.Chain.Name, Packets: d.Chain.PolicyPackets}
		}
	}
	return nil
}

// concerning is the filter with the chains that see packets of the family: nft
// lists tables of ip, ip6 and inet.
func concerning(f *fact.Filter, v6 bool) *fact.Filter {
	same := *f
	same.Chains = slices.DeleteFunc(slices.Clone(f.Chains), func(*fact.Chain) bool { return f.Tool == "iptables" && f.V6 != v6 })
	if f.Tool != "iptables" {
		other := map[bool]string{true: "ip ", false: "ip6 "}[v6]
		same.Chains = slices.DeleteFunc(same.Chains, func(c *fact.Chain) bool { return strings.HasPrefix(c.Table, other) })
	}
	return &same
}
