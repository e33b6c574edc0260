// SPDX-License-Identifier: Apache-2.0

// Package node holds the checks of area node: what a node's kernel, routes,
// packet filters and addresses must be for any CNI to work on it. None of them
// sends a packet; what packets do is the business of the other areas.
package node

import (
	"context"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
)

// registered are the nodes by name as the API server has them now: env's are
// those of when the run began.
func registered(ctx context.Context, env *check.Env) (map[string]corev1.Node, error) {
	list, err := env.Cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, &check.Inconclusive{Why: "the nodes could not be listed", Err: err}
	}
	nodes := map[string]corev1.Node{}
	for _, n := range list.Items {
		nodes[n.Name] = n
	}
	return nodes, nil
}

// internalIPs are the node's addresses within the cluster.
func internalIPs(n corev1.Node) []netip.Addr {
	var ips []netip.Addr
	for _, a := range n.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
			ips = append(ips, ip)
		}
	}
	return ips
}

// fewPeers is how many others a node is compared with where each costs a
// command, so that the cost grows with nodes and not with their pairs.
const fewPeers = 20

// peers are the Linux nodes after the node in the order of names, around the
// end, fewPeers at most.
func peers(env *check.Env, node string) []cluster.Node {
	all := env.Cluster.Nodes
	at := slices.IndexFunc(all, func(n cluster.Node) bool { return n.Name == node })
	var others []cluster.Node
	for i := range all {
		n := all[(at+1+i)%len(all)]
		if n.Name != node && (n.OS == "" || n.OS == "linux") && len(others) < fewPeers {
			others = append(others, n)
		}
	}
	return others
}

// has tells whether the pod network has addresses of the family; where nothing
// is known of the families it has IPv4 ones.
func has(env *check.Env, family corev1.IPFamily) bool {
	if len(env.Cluster.Families) == 0 {
		return family == corev1.IPv4Protocol
	}
	return slices.Contains(env.Cluster.Families, family)
}

// podRanges are the cluster's pod ranges and the node's own.
func podRanges(env *check.Env, n cluster.Node) []netip.Prefix {
	return slices.Concat(env.Cluster.PodCIDRs, n.PodCIDRs)
}

// inside tells whether the address is in one of the ranges.
func inside(ranges []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(addr) })
}
