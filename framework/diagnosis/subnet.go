// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// serviceRange matches texts in which the range of Services is meant.
var serviceRange = regexp.MustCompile(`(?i)NodePort|node ports|provided port`)

// What CNIs, kubeadm, docker and kernels say of ranges that overlap and of
// addresses two have.
var overlaps = fact.Say("ranges overlap, or an address is taken twice",
	`(?:network|subnet|range|cidr)s? \S* ?(?:\(?\S*\)? )?overlaps? (?:with )?(?:an )?(?:existing )?(?:route|network|subnet|the|service|pod|node|\S+/\d+)?`,
	`overlaps with existing route`, `pool overlaps with other one on this address space`,
	`(?:pod|service|cluster)[ -]?(?:subnet|cidr|network|range)\S* .{0,80}(?:overlap|conflict)s?`, `subnets \S+ and \S+ overlap`,
	`(?:overlapping|conflicting) (?:subnets?|ranges?|cidrs?|networks?|ip pools?|addresses)`, `range set \d+ overlaps with \d+`,
	`duplicate (?:IP |ip )?address(?:es)?(?: detected)?`, `(?:IP|address) conflict(?: detected)?`, `\bduplicate address .{0,40}detected`,
	`DAD failed|dadfailed`, `address (?:is )?already (?:assigned to|used by|in use by) (?:another|other|pod|container)`,
	`IPPool\S* .{0,80}overlap`, `CIDR .{0,60} (?:overlaps|intersects|conflicts with)`,
)

var _ = Register(Rule{
	Code:  SubnetOverlap,
	Title: "ranges overlap: pods, Services, nodes or the hosts' own networks share addresses",
	Hint:  "An address that two ranges have is routed to one of them: which, depends on the place one asks from.",
	Suppresses: []Code{CNIDaemonCrashLoop, CNIDaemonUnreachable, CNIConfigMissing, NodeRouteMissing, CoreDNSDown, SandboxStale, NotNetworkApplication, ServiceSelectorMismatch,
		CNIAPIServerUnreachable, IPAMExhausted},
	Fix: []string{
		"kubectl cluster-info dump | grep -m2 -e cluster-cidr -e service-cluster-ip-range; ip route   # the three ranges: pods, Services, nodes",
		"choose a pod range that no host network, Service range or VPN uses, and set it in the CNI's configuration",
	},
	Refutes: "the ranges of pods, Services, nodes and host routes being disjoint",
	Looks:   []fact.Sort{fact.NetworkState, fact.CNIPodLog},
	Match: func(f *fact.Facts) []Finding {
		found := some(cite(0.9, current(f, f.Said(overlaps))))
		found = append(append(found, poolOverlaps(f)...), sharedAddresses(f)...)
		return append(found, nodesOverlap(f)...)
	},
})

// nodesOverlap finds Node objects that have one pod range between them. Of whose
// range it is, the other nodes' CNI believes one: the packets of the other's pods go
// astray.
func nodesOverlap(f *fact.Facts) []Finding {
	var found []Finding
	for i, a := range f.Nodes {
		for _, b := range f.Nodes[i+1:] {
			if a.Name == b.Name || !slices.ContainsFunc(a.PodCIDRs, func(cidr string) bool { return overlapsAny(cidr, b.PodCIDRs) }) {
				continue
			}
			one := Finding{Confidence: 0.95, direct: true, Step: string(fact.Objects),
				Title: fmt.Sprintf("the pod ranges of nodes %s and %s overlap: %s, %s", a.Name, b.Name, strings.Join(a.PodCIDRs, " "), strings.Join(b.PodCIDRs, " ")),
				Fix:   []string{"kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDR:.spec.podCIDR   # which is no machine? kubectl delete node <it>, then restart the CNI's pods; else one must join anew"}}
			one.quote(a.Quote)
			one.quote(b.Quote)
			found = append(found, one)
		}
	}
	return found
}

func overlapsAny(cidr string, others []string) bool {
	p, err := netip.ParsePrefix(cidr)
	return err == nil && slices.ContainsFunc(others, func(other string) bool {
		o, err := netip.ParsePrefix(other)
		return err == nil && o.Overlaps(p)
	})
}

// poolOverlaps compares the ranges pods get addresses from with the Services'
// and the nodes' addresses.
func poolOverlaps(f *fact.Facts) []Finding {
	var found []Finding
	for _, r := range podRanges(f) {
		for _, s := range f.Services {
			ip, err := netip.ParseAddr(s.ClusterIP)
			if err != nil || !r.prefix.Contains(ip) {
				continue
			}
			one := Finding{Confidence: 0.93, direct: true, Step: string(fact.Objects),
				Title: fmt.Sprintf("%s %s overlaps the Service range: Service %s/%s has %s", r.what, r.prefix, s.Namespace, s.Name, s.ClusterIP)}
			one.quote(r.quote)
			one.quote(s.Quote)
			found = append(found, one)
			break
		}
		for _, n := range f.Nodes {
			for _, a := range n.Addresses {
				ip, err := netip.ParseAddr(a)
				if err != nil || !r.prefix.Contains(ip) {
					continue
				}
				one := Finding{Confidence: 0.9, direct: true, Step: string(fact.Objects),
					Title: fmt.Sprintf("%s %s overlaps the nodes' network: %s is node %s", r.what, r.prefix, a, n.Name)}
				one.quote(r.quote)
				one.quote(n.Quote)
				found = append(found, one)
			}
		}
	}
	return found
}

type podRange struct {
	what   string
	prefix netip.Prefix
	quote  fact.Quote
}

func podRanges(f *fact.Facts) []podRange {
	var ranges []podRange
	add := func(what, cidr string, q fact.Quote) {
		if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Bits() > 0 {
			ranges = append(ranges, podRange{what, prefix.Masked(), q})
		}
	}
	for _, p := range f.Pools {
		if !p.Disabled && p.Node == "" {
			add("the IP pool "+p.Name, p.CIDR, p.Quote)
		}
	}
	for _, n := range f.Nodes {
		for _, cidr := range n.PodCIDRs {
			add("the pod range of "+n.Name, cidr, n.Quote)
		}
	}
	return ranges
}

// sharedAddresses finds pods that have one address.
func sharedAddresses(f *fact.Facts) []Finding {
	owner := map[string]fact.Pod{}
	var found []Finding
	for _, p := range f.Pods {
		if p.IP == "" || p.HostNetwork || p.Status != "Running" || nodeHas(f, p.IP) {
			continue
		}
		other, taken := owner[p.IP]
		if !taken {
			owner[p.IP] = p
			continue
		}
		if other.HostNetwork || other.Node == p.Node && p.Node == "" {
			continue
		}
		one := Finding{Confidence: 0.85, direct: true, Step: string(fact.PodStatus),
			Title: fmt.Sprintf("pods %s and %s have the same address %s", other.ID(), p.ID(), p.IP),
			Fix:   []string{"kubectl delete pod " + p.Name + " -n " + p.Namespace + "   # then look at the CNI's address management on both nodes"}}
		one.quote(other.Quote)
		one.quote(p.Quote)
		found = append(found, one)
	}
	return found
}

func nodeHas(f *fact.Facts, ip string) bool {
	for _, n := range f.Nodes {
		if contains(n.Addresses, ip) {
			return true
		}
	}
	return false
}
