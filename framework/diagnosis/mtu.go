// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What ping, tcpdump, VPN and overlay software say of packets that are too
// large.
var tooLarge = fact.Say("packets are larger than the path takes",
	`message too long,? ?mtu ?= ?(?P<mtu>\d+)`, `frag(?:mentation)? needed(?: and DF set)?(?: \(mtu ?=? ?(?P<mtu>\d+)\))?`, `need to frag \(mtu (?P<mtu>\d+)\)`,
	`(?:sendmsg|sendto|write)?:? ?message too long`, `packet (?:too big|size exceeds|larger than).{0,40}mtu`, `EMSGSIZE`,
	`mtu.{0,60}(?:mismatch|too (?:large|big|high)|does not match|doesn't match|incorrect|wrong|larger than|exceeds|inconsistent|not (?:equal|matching))`,
	`(?:large|big|jumbo).{0,30}packets?.{0,60}(?:drop|lost|fail|hang|black ?hole)`, `PMTU ?D?.{0,60}(?:black ?hole|fail|broken|block)`,
	`dropped over-mtu packet`, `over-mtu packet: \d+ > \d+`, `invalid MTU \d+, must be \[0, master MTU`,
)

var _ = Register(Rule{
	Code:       MTUMismatch,
	Title:      "packets of full size do not fit the path between pods",
	Hint:       "An overlay's headers take room of the underlay's MTU (VXLAN 50 bytes); a pod that sends larger packets loses them, while small ones pass.",
	Suppresses: []Code{NotNetworkApplication, DNSUpstreamFailure, EgressBlocked, ServiceSelectorMismatch},
	Fix: []string{
		"ip -d link | grep mtu   # on each node: pod interfaces <= overlay <= underlay minus its headers",
		"ping -M do -s 1422 <a pod's address on another node>   # from a pod: the largest size that passes, plus 28, is the MTU to set",
		"set the MTU in the CNI's configuration (flannel: Backend.MTU or the node's interface; calico: veth_mtu; cilium: mtu), restart its pods, recreate the pods",
	},
	Refutes: "DF datagrams of the pods' full MTU passing between nodes",
	Looks:   []fact.Sort{fact.NetworkState},
	Match: func(f *fact.Facts) []Finding {
		found := append(linkMTUs(f), checkSays(f, "mtu", 0.6)...)
		found = append(found, contradicted(f, "mtu.headers", 0.85)...)
		if !f.Whole {
			found = append(found, some(cite(0.8, f.Said(tooLarge)))...)
		}
		return found
	},
})

// linkMTUs compares, on each node, pod interfaces with the overlay and the
// overlay with the underlay.
func linkMTUs(f *fact.Facts) []Finding {
	var found []Finding
	for _, over := range f.Links {
		if !over.Overlay() || !over.Up || ofCilium(over) {
			continue
		}
		under, known := underlay(f, over.Node)
		if known && over.MTU > under.MTU-over.Overhead() {
			found = append(found, mtuFinding(over, under,
				fmt.Sprintf("%s on %s has MTU %d, but its underlay %s with MTU %d leaves room for %d", over.Name, over.Node, over.MTU, under.Name, under.MTU, under.MTU-over.Overhead())))
		}
		if pod, known := newestPod(f, over.Node); known && pod.MTU > over.MTU && intended(f, over, pod) > over.MTU {
			one := mtuFinding(pod, over,
				fmt.Sprintf("pods on %s get MTU %d, more than the %d of %s that carries them to other nodes", over.Node, pod.MTU, over.MTU, over.Name))
			if config, known := inUse(f, over.Node); known && config.MTU > over.MTU {
				one.quote(config.Find("mtu"))
			}
			found = append(found, one)
		}
	}
	return append(found, unequal(f)...)
}

// ofCilium tells Cilium's interfaces, which all have the underlay's MTU: Cilium
// limits packets by the MTU of its routes.
func ofCilium(l fact.Link) bool {
	return strings.HasPrefix(l.Name, "cilium_") || strings.HasPrefix(l.Name, "lxc")
}

// newestPod is the pod interface made last: older ones may have another MTU
// from before a change.
func newestPod(f *fact.Facts, node string) (fact.Link, bool) {
	var newest fact.Link
	found := false
	for _, l := range f.Links {
		if l.Node == node && l.Pod() && !ofCilium(l) && (!found || l.Index > newest.Index) {
			newest, found = l, true
		}
	}
	return newest, found
}

// intended is the MTU the CNI means pods to have: its configuration's, else
// that of its routes into the overlay, else what the newest pod got.
func intended(f *fact.Facts, over, pod fact.Link) int {
	if config, known := inUse(f, over.Node); known && config.MTU > 0 {
		return config.MTU
	}
	for _, r := range f.RoutesOf(over.Node) {
		if r.Dev == over.Name && r.MTU > 0 {
			return r.MTU
		}
	}
	return pod.MTU
}

func mtuFinding(large, small fact.Link, title string) Finding {
	one := Finding{Confidence: 0.9, direct: true, Step: string(fact.NetworkState), Title: title}
	one.on(large.Node)
	one.quote(large.Quote)
	one.quote(small.Quote)
	one.Refutes = "DF datagrams of the pods' full MTU passing between nodes; looked for: the interfaces' MTUs contradict it"
	return one
}

// underlay is the interface a node reaches its peers through.
func underlay(f *fact.Facts, node string) (fact.Link, bool) {
	for _, n := range f.Nodes {
		peer, ok := nodeAddress(f, n.Name)
		if n.Name == node || !ok {
			continue
		}
		dev := device(f, node, peer)
		for _, l := range f.Links {
			if l.Node == node && l.Name == dev {
				return l, true
			}
		}
	}
	return fact.Link{}, false
}

// unequal finds underlays of different MTU: full-size packets of the larger one
// are lost on their way to the smaller one.
func unequal(f *fact.Facts) []Finding {
	var links []fact.Link
	for _, n := range f.Nodes {
		if l, known := underlay(f, n.Name); known {
			links = append(links, l)
		}
	}
	for i, a := range links {
		for _, b := range links[i+1:] {
			if a.MTU == b.MTU {
				continue
			}
			small, large := a, b
			if a.MTU > b.MTU {
				small, large = b, a
			}
			one := mtuFinding(small, large, fmt.Sprintf("the nodes' MTUs differ: %s on %s has %d, %s on %s has %d", small.Name, small.Node, small.MTU, large.Name, large.Node, large.MTU))
			one.Confidence = 0.75
			return []Finding{one}
		}
	}
	return nil
}
