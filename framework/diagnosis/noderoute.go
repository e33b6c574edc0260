// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What route controllers, CNIs and kernels say of routes that are not there.
var routeMissing = fact.Say("a route to a node's pods is missing",
	`RouteController failed to create a route`, `NoRouteCreated`, `could not create route .{0,160}`,
	`FailedToCreateRoute`, `route (?:table|entry|entries)? ?(?:quota|limit) (?:exceeded|reached)`, `RouteLimitExceeded|QuotaExceeded.{0,160}route`,
	`error adding route`, `failed to (?:add|create|replace|program|install|ensure) (?:the )?(?:host |pod |node )?route`,
	`(?:no|missing) route(?:s)? (?:to|for) (?:the )?(?:pod|node|remote|podCIDR|subnet)`,
	`no node-to-node routes? (?:found|exist)|no routes? to (?:the )?(?:pod|other) `,
	`(?:AddRoute|CreateRoute|WaitCreate).{0,160}(?:error|fail)`,
	`RTNETLINK answers: (?:network is unreachable|no such process)`,
	`from \S+ icmp_seq=\d+ destination (?:host|net) unreachable`,
)

var netUnreachable = fact.Say("a node or pod has no route at all to an address", `connect: network is unreachable`)

var _ = Register(Rule{
	Code:       NodeRouteMissing,
	Title:      "a node has no route to the pods of another",
	Hint:       "The CNI, or the cloud's route controller, sets a route per node's pod range; without it packets take the default route and are lost.",
	Suppresses: []Code{CoreDNSDown, ServiceSelectorMismatch, DNSUpstreamFailure, NotNetworkApplication, EgressBlocked, MTUMismatch, IngressBlocked},
	Fix: []string{
		"ip route   # on <node>: one line per other node's pod range",
		"kubectl -n <its namespace> delete pod <the CNI's pod on <node>>   # it sets its routes again at start",
		"kubectl describe node <node> | grep -A8 Conditions   # NetworkUnavailable tells of a cloud's route controller",
	},
	Refutes: "ip route get <a pod's address on the other node> naming the overlay or the other node",
	Looks:   []fact.Sort{fact.NetworkState},
	Match: func(f *fact.Facts) []Finding {
		found := missingRoutes(f)
		if len(found) == 0 {
			confidence := 0.8
			if f.Whole {
				confidence = 0.6
			}
			found = some(cite(confidence, current(f, f.Said(routeMissing))))
			if len(found) == 0 && !f.Whole {
				found = some(cite(0.45, f.Said(netUnreachable)))
			}
		}
		for _, n := range f.Nodes {
			if strings.Contains(n.NoNetwork, "Route") {
				one := Finding{Confidence: 0.9, Step: string(fact.Objects), Title: "node " + n.Name + " has no route: " + n.NoNetwork}
				one.on(n.Name)
				one.quote(n.Quote)
				found = append(found, one)
			}
		}
		return found
	},
})

// missingRoutes compares each node's routes with the other nodes' pod ranges,
// where the CNI in use routes by them: it has a route to at least one range
// through something else than the default route, or an interface of its own.
func missingRoutes(f *fact.Facts) []Finding {
	var found []Finding
	for _, node := range nodesWithRoutes(f) {
		for _, r := range rangesOfOthers(f, node) {
			route, known := f.RouteTo(node, r.prefix.Addr().Next())
			good := known && route.Dst.Bits() > 0 && route.Kind == "unicast" && !wide(f, node, route)
			if good {
				continue
			}
			one := Finding{Confidence: 0.92, peers: []string{r.node}, Step: string(fact.NetworkState),
				Title: fmt.Sprintf("%s has no route to %s, the pods of %s", node, r.prefix, r.node)}
			if known && route.Kind != "unicast" {
				one.Title = fmt.Sprintf("%s has a %s route for %s, the pods of %s", node, route.Kind, r.prefix, r.node)
			}
			one.on(node)
			if known {
				one.quote(route.Quote)
			} else {
				one.quote(f.RoutesOf(node)[0].Quote)
			}
			one.quote(r.quote)
			one.Refutes = "ip route get " + r.prefix.Addr().Next().String() + " on " + node + " naming the overlay or the other node; looked for: its routes do not have it"
			found = append(found, one)
		}
	}
	return found
}

// wide tells whether a route covers the nodes' own network, which is no way to
// pods.
func wide(f *fact.Facts, node string, r fact.Route) bool {
	self, ok := nodeAddress(f, node)
	return ok && r.Dst.Contains(self)
}

func nodesWithRoutes(f *fact.Facts) []string {
	var nodes []string
	for _, r := range f.Routes {
		if r.Node != "" && r.Table == "main" && !contains(nodes, r.Node) {
			nodes = append(nodes, r.Node)
		}
	}
	return nodes
}

type nodeRange struct {
	node   string
	prefix netip.Prefix
	quote  fact.Quote
}

// rangesOfOthers are the pod ranges of other nodes the node should have a route
// to: Calico's blocks where there are blocks; else the nodes' podCIDRs, where
// the node routes its own podCIDR to an interface, so that the CNI uses them.
func rangesOfOthers(f *fact.Facts, node string) []nodeRange {
	var ranges []nodeRange
	for _, p := range f.Pools {
		prefix, err := netip.ParsePrefix(p.CIDR)
		if p.Node != "" && p.Node != node && err == nil && prefix.Addr().Is4() {
			ranges = append(ranges, nodeRange{p.Node, prefix, p.Quote})
		}
	}
	if len(ranges) > 0 || !usesPodCIDRs(f) {
		return ranges
	}
	for _, n := range f.Nodes {
		for _, cidr := range n.PodCIDRs {
			prefix, err := netip.ParsePrefix(cidr)
			if n.Name != node && err == nil && prefix.Addr().Is4() {
				ranges = append(ranges, nodeRange{n.Name, prefix, n.Quote})
			}
		}
	}
	return ranges
}

// usesPodCIDRs tells whether pods have addresses out of their nodes' podCIDRs:
// some CNIs have ranges of their own.
func usesPodCIDRs(f *fact.Facts) bool {
	for _, p := range f.Pods {
		ip, err := netip.ParseAddr(p.IP)
		n, known := f.NodeByName(p.Node)
		if err != nil || !known || p.HostNetwork {
			continue
		}
		for _, cidr := range n.PodCIDRs {
			if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Contains(ip) {
				return true
			}
		}
	}
	return false
}
