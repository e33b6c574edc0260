// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"net/netip"
	"slices"
	"sort"
	"strings"
)

// Filter is a node's packet filter as one tool lists it: iptables-save of the
// legacy or nft variant, or nft list ruleset.
type Filter struct {
	Node string
	// V6 tells that it is ip6tables' or an ip6 table.
	V6 bool
	// Tool is "iptables" or "nft".
	Tool   string
	Chains []*Chain
	Quote  Quote
}

// Chain is a list of rules.
type Chain struct {
	Table, Name string
	// Hook is prerouting, input, forward, output or postrouting for a base
	// chain, else empty.
	Hook     string
	Priority int
	// Policy is ACCEPT or DROP; PolicyPackets is what it decided.
	Policy        string
	PolicyPackets uint64
	Rules         []FilterRule
	Quote         Quote
}

// FilterRule is one rule.
type FilterRule struct {
	In, Out   []match
	Src, Dst  []prefixMatch
	Protocols []match
	DstPorts  []portRange
	NotPorts  bool
	SrcPorts  []portRange
	// States are connection states it asks for; NotStates those it excludes.
	States, NotStates []string
	// Unknown tells that it also asks for something a saved state cannot tell
	// (marks, sets, owners ...): whether it matches is open.
	Unknown bool
	// Target is ACCEPT, DROP, REJECT, RETURN, a chain, or anything else, which
	// lets the packet go on.
	Target string
	Goto   bool
	// Packets it has matched; Counted is false where the listing has no counters.
	Packets uint64
	Counted bool
	Quote   Quote
}

type match struct {
	value  string
	negate bool
}

type prefixMatch struct {
	prefix netip.Prefix
	negate bool
}

type portRange struct{ low, high int }

// Packet is a first packet of a connection, to be judged by a filter.
type Packet struct {
	In, Out  string
	Src, Dst netip.Addr
	// Protocol is tcp, udp, icmp.
	Protocol string
	DstPort  int
}

// Decision is what a filter does with a packet.
type Decision struct {
	// Dropped tells that it is dropped or rejected, Sure that nothing before
	// may have accepted it and nothing about it is open.
	Dropped, Sure bool
	Chain         *Chain
	// Rule that decides; nil when the chain's policy does.
	Rule *FilterRule
}

// Judge walks a packet through the base chains of the hooks, in order. nat
// tables do not filter and are left out.
func (f *Filter) Judge(p Packet, hooks ...string) Decision {
	for _, hook := range hooks {
		for _, c := range f.base(hook) {
			// Accepting ends one base chain; those of other tables see the packet
			// all the same.
			w := walk{filter: f, packet: p}
			outcome, d := w.chain(c, step{certain: true})
			if outcome == dropped {
				d.Sure = d.Sure && !w.maybeAccepted
				return d
			}
			if outcome == passed && c.Policy == "DROP" {
				return Decision{Dropped: true, Sure: !w.maybeAccepted, Chain: c}
			}
		}
	}
	return Decision{}
}

func (f *Filter) base(hook string) []*Chain {
	var chains []*Chain
	for _, c := range f.Chains {
		if c.Hook == hook && c.Table != "nat" && !strings.HasSuffix(c.Table, " nat") {
			chains = append(chains, c)
		}
	}
	sort.SliceStable(chains, func(i, j int) bool { return chains[i].Priority < chains[j].Priority })
	return chains
}

// Chain returns a chain by table and name, nil when there is none.
func (f *Filter) Chain(table, name string) *Chain {
	for _, c := range f.Chains {
		if c.Table == table && c.Name == name {
			return c
		}
	}
	return nil
}

// outcome of a chain for a packet.
type outcome int

const (
	passed   outcome = iota // went through to the end or returned
	accepted                // no further rule of this hook sees it
	dropped
)

// walk is one packet's way through one base chain.
type walk struct {
	filter *Filter
	packet Packet
	// maybeAccepted tells that a rule whose match is open may have accepted the
	// packet before.
	maybeAccepted bool
}

// deepest is how far chains may nest; a loop cannot exist in a kernel, but can
// in a doctored file.
const deepest = 30

// step is how a packet got to a chain.
type step struct {
	// certain tells that no rule on the way has a match that is open.
	certain bool
	// depth is how many jumps it took.
	depth int
}

// chain walks a chain's rules.
func (w *walk) chain(c *Chain, at step) (outcome, Decision) {
	if at.depth > deepest {
		return passed, Decision{}
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		if !r.matches(w.packet) {
			continue
		}
		certain := at.certain && !r.Unknown
		switch r.Target {
		case "ACCEPT":
			if certain {
				return accepted, Decision{}
			}
			w.maybeAccepted = true
		case "DROP", "REJECT":
			if certain {
				return dropped, Decision{Dropped: true, Sure: true, Chain: c, Rule: r}
			}
		case "RETURN":
			if certain {
				return passed, Decision{}
			}
			at.certain = false // the rest of the chain may not see it
		default:
			next := w.filter.Chain(c.Table, r.Target)
			if next == nil {
				continue
			}
			before := w.maybeAccepted
			o, d := w.chain(next, step{certain, at.depth + 1})
			if o != passed {
				d.Sure = d.Sure && !before
				return o, d
			}
			if r.Goto && certain {
				return passed, Decision{}
			}
		}
	}
	return passed, Decision{}
}

// matches tells whether what is known of the rule fits the packet.
func (r *FilterRule) matches(p Packet) bool {
	if !fits(r.In, p.In) || !fits(r.Out, p.Out) || !fits(r.Protocols, p.Protocol) {
		return false
	}
	if !inside(r.Src, p.Src) || !inside(r.Dst, p.Dst) {
		return false
	}
	if len(r.SrcPorts) > 0 {
		return false // the packet's source port is an ephemeral one
	}
	if len(r.DstPorts) > 0 && within(r.DstPorts, p.DstPort) == r.NotPorts {
		return false
	}
	if len(r.States) > 0 && !slices.Contains(r.States, "NEW") {
		return false
	}
	return !slices.Contains(r.NotStates, "NEW")
}

// fits tells whether a value fits: one of the positive matches, where there are
// any, and none of the negated ones. A trailing + or * is a wildcard, as in
// iptables and nft.
func fits(matches []match, value string) bool {
	wanted, found := false, false
	for _, m := range matches {
		equal := m.value == value
		if stem := strings.TrimRight(m.value, "+*"); stem != m.value {
			equal = strings.HasPrefix(value, stem)
		}
		if m.negate && equal {
			return false
		}
		wanted = wanted || !m.negate
		found = found || !m.negate && equal
	}
	return found || !wanted
}

// inside is fits for addresses.
func inside(prefixes []prefixMatch, addr netip.Addr) bool {
	wanted, found := false, false
	for _, p := range prefixes {
		contains := p.prefix.Contains(addr)
		if p.negate && contains {
			return false
		}
		wanted = wanted || !p.negate
		found = found || !p.negate && contains
	}
	return found || !wanted
}

func within(ranges []portRange, port int) bool {
	for _, r := range ranges {
		if port >= r.low && port <= r.high {
			return true
		}
	}
	return false
}
