// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"sort"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What listings of packet filters, kernels that log drops, and hosts that
// refuse by ICMP say.
var (
	filterListing = fact.Say("a packet filter listing rejects or drops forwarded traffic",
		`chain FORWARD \(policy DROP`, `:FORWARD DROP \[`, `-P FORWARD (?:DROP|REJECT)`,
		`(?:REJECT|DROP) +(?:all|0) +(?:--|\*)? .{0,160}reject-with icmp-(?:host-prohibited|admin-prohibited)`,
		`-A (?:INPUT|FORWARD|IN_public\w*|FWDI?_\w+) -j REJECT --reject-with icmp-(?:host|admin)-prohibited`,
		`-A (?:INPUT|FORWARD|OUTPUT|PREROUTING|DOCKER-USER|ufw-[\w-]+)(?: ! ?-i \S+| -[ios] \S+| -d \S+| -p \S+| -m \S+| --\S+ \S+){0,8} -j (?:DROP|REJECT)`,
		`type filter hook forward .{0,60}policy drop`,
		`(?:DROP|REJECT) +(?:all|0|tcp|6|udp|17) +(?:-- +)?(?:\S+ +){0,2}(?:10\.|172\.|192\.168\.|100\.)\d\S* `,
	)
	filterLog = fact.Say("the kernel logs packets that a filter dropped",
		`\[UFW (?:BLOCK|DENY)\]`, `(?:FINAL_|_)?(?:REJECT|DROP|BLOCK|DENY)[\w -]*:? ?IN=\S* OUT=`,
		`(?:drop|reject|block|den(?:y|ied)).{0,40}\bIN=\S* OUT=\S* .{0,200}SRC=`,
	)
	prohibited = fact.Say("a host refuses packets by policy (ICMP administratively prohibited)",
		`(?:host|net|admin(?:istratively)?|communication administratively) (?:prohibited|filtered)`,
		`icmp-(?:host|admin|net)-prohibited`, `packet filtered`, `dest(?:ination)? host prohibited`,
	)
	firewalldActive = fact.Say("firewalld or ufw is active on a node",
		`firewalld is active, please ensure ports`, `\[WARNING Firewalld\]`, `firewalld\.service.{0,60}active \(running\)`, `Status: active\b.{0,40}ufw|ufw.{0,40}Status: active`,
	)
	blockedPort = fact.Say("a port that nodes need among themselves does not answer",
		`dial tcp(?:4|6)? \[?[\w.:-]+\]?:(?P<port>6783|6784|5473|179|8472|4789|10250|10256|9345|2379|2380|4240|6081): (?:connect: |i/o )?(?:no route to host|timeout|connection timed out)`,
		`:(?P<port>6783|5473|4240|10250)\b.{0,80}(?:no route to host|connection timed out|i/o timeout)`,
		`no route to host.{0,80}:(?P<port>10250|6783|179|5473)\b`,
	)
	noRouteToService = fact.Say("a Service or pod address is refused with no route to host",
		`dial tcp(?:4|6)? (?:10|172|192\.168)\.[\d.]+:\d+: (?:connect: )?no route to host`,
	)
	weavePeerTimeout = fact.Say("Weave's peers cannot reach each other",
		`->\[[\d.]+:6783[^\]]*\]:? (?:error during connection attempt|connection shutting down due to error).{0,160}(?:timed out|timeout|no route|refused|no heartbeat)`,
		`-> [\d.]+:6783 +(?:retrying|failed)`,
	)
	weaveIsland = fact.Say("Weave cannot reach the peer that owns part of the range",
		`IPs \([\d.]+% of total\).{0,40}- unreachable!`,
	)
)

var _ = Register(Rule{
	Code:  NodeFirewallDrop,
	Title: "a packet filter on the node drops traffic that the cluster needs",
	Hint:  "A firewall service, docker's FORWARD policy or a rule set by hand comes before the rules of kube-proxy and the CNI.",
	Suppresses: []Code{CNIDaemonUnreachable, CNIDaemonCrashLoop, CoreDNSDown, DNSUpstreamFailure, NodeRouteMissing, EgressBlocked, IngressBlocked, KubeProxyMisconfigured,
		ServiceSelectorMismatch, ServicePortMismatch, CNIAPIServerUnreachable, MTUMismatch, NotNetworkApplication, RPFilterStrict, NetworkPolicyBlocks},
	Fix: []string{
		"iptables-save -c | grep -e DROP -e REJECT; nft list ruleset | grep -e drop -e reject   # on <node>: which rule counts packets?",
		"systemctl status firewalld ufw   # on <node>: who sets it? Allow the pod and Service ranges and the CNI's ports there",
	},
	Refutes: "the rule's counter standing still while the traffic fails",
	Looks:   []fact.Sort{fact.NetworkState},
	Match: func(f *fact.Facts) []Finding {
		ofNode := map[string][]drop{}
		for _, d := range drops(f) {
			if d.purpose != toOutside && d.purpose != toAPI && d.purpose != toNodePort {
				ofNode[d.node] = append(ofNode[d.node], d)
			}
		}
		var found []Finding
		for _, all := range ofNode {
			found = append(found, dropped(all))
		}
		if len(found) > 0 {
			return found
		}
		return fromText(f)
	},
})

// dropped tells of a node's rules, those that count packets first.
func dropped(drops []drop) Finding {
	sort.SliceStable(drops, func(i, j int) bool { return drops[i].hit && !drops[j].hit })
	d := drops[0]
	found := Finding{Confidence: 0.94, direct: true, Step: string(fact.NetworkState),
		Title: fmt.Sprintf("a packet filter rule on %s drops %s (%s %s to %s)", d.node, d.purpose, d.packet.Protocol, d.packet.Src, d.packet.Dst)}
	if d.purpose != podToPod {
		found.Title = fmt.Sprintf("a packet filter rule on %s drops %s (%s port %d)", d.node, d.purpose, d.packet.Protocol, d.packet.DstPort)
	}
	found.on(d.node)
	for _, one := range drops {
		found.quote(one.quote)
		if line := one.undo + "   # on " + d.node; !contains(found.Fix, line) {
			found.Fix = append(found.Fix, line)
		}
	}
	found.Fix = append(found.Fix, "systemctl status firewalld ufw docker   # on "+d.node+": who adds it? Else it comes back")
	found.Refutes = "the rule's counter standing still while the traffic fails; looked for: it has counted packets, or the listing has no counters"
	if !d.hit {
		found.Confidence = 0.85
		found.Refutes = "the rule's counter standing still while the traffic fails; looked for: it is zero so far"
	}
	return found
}

// fromText finds firewalls in excerpts, where nothing tells which packets the
// node must forward; a whole node's state is judged by drops instead.
func fromText(f *fact.Facts) []Finding {
	said := []struct {
		wording *fact.Wording
		// pasted and whole are how much it tells in an excerpt and in evidence
		// of a cluster, where scans from the internet are logged too.
		pasted, whole float64
	}{
		{filterLog, 0.85, 0.45}, {prohibited, 0.85, 0.6}, {filterListing, 0.8, 0}, {weavePeerTimeout, 0.7, 0}, {weaveIsland, 0.7, 0.6},
		{blockedPort, 0.6, 0.4}, {noRouteToService, 0.6, 0}, {firewalldActive, 0.5, 0},
	}
	var found []Finding
	for _, s := range said {
		confidence := s.pasted
		if f.Whole {
			confidence = s.whole
		}
		if confidence > 0 {
			said := lately(f, apiRetry, f.Said(s.wording))
			if s.wording == noRouteToService { // a CNI that does not reach the API server has a code of its own
				said = without(said, cniContext)
			}
			found = append(found, some(cite(confidence, said))...)
		}
	}
	return found
}
