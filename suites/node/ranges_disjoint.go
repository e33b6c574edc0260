// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/ipam"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// The ranges of pods, of Services and of the nodes' networks do not overlap, and
// no two nodes have podCIDRs that do. An address in two of them is reached in one
// only, and which one may differ from node to node.
//
// Pod ranges are the cluster's and those of the CNI's own address management
// (the IPPools of Calico); the network of a node is that of its InternalIP's
// interface. With node access also the networks of bridges and tunnels that are
// not the CNI's count: Docker's, libvirt's, a VPN's. What is not known, as the
// Service range of some managed clusters, cannot overlap.
//
// Turns red with: ip link add docker0 type bridge; ip addr add 10.96.5.1/24 dev
// docker0 (on a node)
var _ = check.Register(check.Check{
	ID:       "node.ranges-disjoint",
	Title:    "pod, Service and node ranges do not overlap",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		pods, err := allPodRanges(ctx, env)
		if err != nil {
			return &check.Inconclusive{Why: "the CNI's ranges could not be read", Err: err}
		}
		var errs []error
		for _, p := range pods {
			errs = append(errs, crosses("", p, named(env.Cluster.ServiceCIDRs, "Service range")))
		}
		nodes, err := registered(ctx, env)
		errs = append(errs, err, nodesCross(nodes))
		taken := append(pods, named(env.Cluster.ServiceCIDRs, "Service range")...)
		for _, n := range env.Nodes {
			for _, ip := range n.InternalIPs {
				errs = append(errs, crosses(n.Name, block{netip.PrefixFrom(ip, ip.BitLen()), "InternalIP"}, taken))
			}
		}
		if env.Cluster.Access == nil {
			return errors.Join(errs...)
		}
		err = nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Links),
			Judge: func(s *nodestate.State) error {
				links, err := s.Links()
				if err != nil {
					return err
				}
				var errs []error
				for _, b := range networks(s.Node.InternalIPs, links) {
					errs = append(errs, crosses(s.Node.Name, b, taken))
				}
				return errors.Join(errs...)
			},
		})
		return errors.Join(append(errs, err)...)
	},
})

// block is a range and what it is.
type block struct {
	netip.Prefix
	what string
}

func (b block) String() string { return b.what + " " + b.Prefix.String() }

func named(prefixes []netip.Prefix, what string) []block {
	var blocks []block
	for _, p := range prefixes {
		blocks = append(blocks, block{p, what})
	}
	return blocks
}

// crosses is a failure for each of the others that has addresses of b.
func crosses(node string, b block, others []block) error {
	var errs []error
	for _, o := range others {
		if b.Overlaps(o.Prefix) {
			errs = append(errs, &check.Failure{Node: node, Wanted: "ranges that do not overlap", Observed: fmt.Sprintf("%s and %s", b, o)})
		}
	}
	return errors.Join(errs...)
}

// allPodRanges are the cluster's pod ranges and those of the CNI, each once.
func allPodRanges(ctx context.Context, env *check.Env) ([]block, error) {
	all := slices.Clone(env.Cluster.PodCIDRs)
	perNode, _, err := ipam.Ranges(ctx, env.Cluster)
	if err != nil && !errors.Is(err, ipam.ErrUnknown) {
		return nil, err
	}
	for _, node := range slices.Sorted(maps.Keys(perNode)) {
		for _, p := range perNode[node] {
			within := func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Overlaps(p) }
			if !slices.ContainsFunc(all, within) {
				all = append(all, p)
			}
		}
	}
	return named(all, "pod range"), nil
}

// nodesCross looks for podCIDRs that two nodes share, among the nodes that the API
// server has now: one may have come since the run began, or be no machine at all.
// Sorted by their first address, one that overlaps any before it overlaps the one
// that reaches farthest.
func nodesCross(nodes map[string]corev1.Node) error {
	type owned struct {
		netip.Prefix
		node string
	}
	var all []owned
	for name, n := range nodes {
		for _, cidr := range n.Spec.PodCIDRs {
			if p, err := netip.ParsePrefix(cidr); err == nil {
				all = append(all, owned{p.Masked(), name})
			}
		}
	}
	slices.SortFunc(all, func(a, b owned) int { return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.node, b.node)) })
	var errs []error
	var far owned
	for _, p := range all {
		if far.IsValid() && far.Overlaps(p.Prefix) && far.node != p.node {
			errs = append(errs, &check.Failure{Node: far.node, Peer: p.node, Wanted: "podCIDRs that do not overlap", Observed: far.Prefix.String() + " and " + p.Prefix.String()})
		}
		if !far.IsValid() || !far.Overlaps(p.Prefix) {
			far = p
		}
	}
	return errors.Join(errs...)
}

// foreign are the beginnings of names of interfaces that no CNI makes and that
// have networks behind them.
var foreign = []string{"docker", "br-", "virbr", "lxdbr", "tun", "ppp", "tailscale", "utun"}

// networks are those that the node is part of, but for the pod network.
func networks(own []netip.Addr, links []nodestate.Link) []block {
	var blocks []block
	for _, l := range links {
		home := slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return slices.Contains(own, p.Addr()) })
		alien := slices.ContainsFunc(foreign, func(f string) bool { return strings.HasPrefix(l.Name, f) }) && l.Kind != "ipip"
		for _, p := range l.Addrs {
			if (home || alien) && !p.IsSingleIP() && !p.Addr().IsLinkLocalUnicast() {
				blocks = append(blocks, block{p.Masked(), "network of " + l.Name})
			}
		}
	}
	return blocks
}
