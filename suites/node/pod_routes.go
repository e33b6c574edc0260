// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/ipam"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// Every node has a way of its own to the pods of every other node, as the CNI
// makes it:
//
//   - flannel vxlan, Calico vxlan: a route by the VXLAN interface, a neighbour
//     entry for its next hop and a forwarding entry for that, which leads to the
//     other node's address;
//   - flannel host-gw and kindnet: a route by the other node's address;
//   - flannel's other tunnels, Calico's BGP and IPIP, Cilium (whose tunnel is in
//     eBPF), Weave Net: a route.
//
// The ranges are those of the CNI's own address management, for Calico, Weave
// Net and unknown CNIs the address of the other node's probe. The default route
// is no way of its own, but for clouds that route pods in their own network,
// where no node has any: that is not applicable. That packets arrive is
// pod.other-node's claim.
//
// Turns red with: ip route del <a peer's pod range> or bridge fdb del <MAC> dev
// flannel.1 dst <a peer's InternalIP> (on a node)
var _ = check.Register(check.Check{
	ID:    "node.pod-routes",
	Title: "the node has a way to the pods of every other node",
	Level: check.Required,
	Run: func(ctx context.Context, env *check.Env) error {
		if len(peers(env, "")) < 2 {
			return &check.NotApplicable{Lacks: "a second Linux node"}
		}
		if env.Cluster.Access == nil {
			return nodestate.Ask(ctx, env, nodestate.Question{})
		}
		nodes, err := registered(ctx, env)
		if err != nil {
			return err
		}
		targets, err := podTargets(ctx, env)
		if err != nil {
			return &check.Inconclusive{Why: "the pod ranges of the nodes could not be read", Err: err}
		}
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Routes, nodestate.Links, nodestate.Neighbours, nodestate.FDB),
			Judge: func(s *nodestate.State) error {
				way, err := newWay(env.Cluster.CNI, s)
				if err != nil {
					return err
				}
				return way.toAll(env, nodes, targets)
			},
		})
	},
})

// podTargets are, for each node, what the others must have a way to.
func podTargets(ctx context.Context, env *check.Env) (map[string][]netip.Prefix, error) {
	switch env.Cluster.CNI.Kind {
	case "flannel", "kindnet", "cilium":
		ranges, _, err := ipam.Ranges(ctx, env.Cluster)
		return ranges, err
	}
	targets := map[string][]netip.Prefix{}
	for node, pod := range env.Pods {
		for _, ip := range pod.IPs {
			if a, err := netip.ParseAddr(ip); err == nil {
				targets[node] = append(targets[node], netip.PrefixFrom(a, a.BitLen()))
			}
		}
	}
	return targets, nil
}

// way is what a node has to get to the pods of others.
type way struct {
	cni    cluster.CNI
	node   string
	routes []nodestate.Route
	// exact are the routes by destination: a CNI's are to the very range, and a
	// search through a thousand for each of a thousand nodes takes long.
	exact  map[netip.Prefix][]nodestate.Route
	kinds  map[string]string // of interfaces, by name
	tunnel nodestate.Tunnel
}

func newWay(cni cluster.CNI, s *nodestate.State) (*way, error) {
	w := &way{cni: cni, node: s.Node.Name, kinds: map[string]string{}, exact: map[netip.Prefix][]nodestate.Route{}}
	links, err := s.Links()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		w.kinds[l.Name] = l.Kind
	}
	if w.routes, err = s.Routes(); err != nil {
		return nil, err
	}
	for _, r := range w.routes {
		w.exact[r.Dst] = append(w.exact[r.Dst], r)
	}
	w.tunnel, err = s.Tunnel()
	return w, err
}

func (w *way) toAll(env *check.Env, nodes map[string]corev1.Node, targets map[string][]netip.Prefix) error {
	var errs []error
	own, ranges := 0, 0
	for _, peer := range env.Cluster.Nodes {
		if peer.Name == w.node || peer.OS != "" && peer.OS != "linux" {
			continue
		}
		for _, target := range targets[peer.Name] {
			ranges++
			route, wrong := w.to(target)
			if wrong == "" {
				own++
				wrong = w.ends(route, nodes[peer.Name])
			}
			if wrong != "" {
				errs = append(errs, &check.Failure{Node: w.node, Peer: peer.Name, Wanted: fmt.Sprintf("a way to %s, pods of %s", target, peer.Name), Observed: wrong})
			}
		}
	}
	switch {
	case ranges == 0:
		return &check.Inconclusive{Node: w.node, Why: "neither a pod range nor a probe of another node is known"}
	case own == 0 && !w.makesRoutes():
		return &check.NotApplicable{Node: w.node, Lacks: "routes to other nodes' pods: what is behind the default route carries them, or nothing does"}
	}
	return errors.Join(errs...)
}

// makesRoutes tells CNIs that make a route per node wherever they run; others
// leave it to the network of a cloud where that can do it.
func (w *way) makesRoutes() bool {
	return w.cni.Kind == "kindnet" || w.cni.Kind == "flannel" && slices.Contains([]string{"vxlan", "host-gw", "wireguard", "ipip", "udp"}, w.cni.Backend)
}

// to is the route to the range, or what is wrong with it.
func (w *way) to(target netip.Prefix) (nodestate.Route, string) {
	routes := nodestate.To(w.exact[target], target.Addr())
	if len(routes) == 0 {
		routes = nodestate.To(w.routes, target.Addr())
	}
	switch {
	case len(routes) == 0:
		return nodestate.Route{}, "no route at all"
	case routes[0].Dst.Bits() == 0:
		return routes[0], "only the default route (" + routes[0].String() + ")"
	case routes[0].Kind != "unicast":
		return routes[0], "route " + routes[0].String()
	}
	return routes[0], ""
}

// ends tells what is wrong with where the route leads to, empty when nothing is
// or it cannot be told.
func (w *way) ends(r nodestate.Route, peer corev1.Node) string {
	addrs := carrierAddrs(peer)
	if !r.Via.IsValid() || len(addrs) == 0 {
		return ""
	}
	switch {
	case w.kinds[r.Dev] == "vxlan" && (w.cni.Kind == "flannel" || w.cni.Kind == "calico"):
		end, missing := w.tunnel.End(r.Dev, r.Via)
		if missing != "" {
			return fmt.Sprintf("route %s, but %s", r, missing)
		}
		if !slices.Contains(addrs, end) {
			return fmt.Sprintf("route %s, but %s sends its packets to %s and the node is at %v", r, r.Dev, end, addrs)
		}
	case w.kinds[r.Dev] != "vxlan" && (w.cni.Kind == "kindnet" || w.cni.Kind == "flannel" && w.cni.Backend == "host-gw"):
		if !slices.Contains(addrs, r.Via) {
			return fmt.Sprintf("route %s, and the node is at %v", r, addrs)
		}
	}
	return ""
}

// carrierAddrs are the addresses of the node that pods' packets are sent to: its
// InternalIPs, and those that flannel and Calico announce in annotations.
func carrierAddrs(n corev1.Node) []netip.Addr {
	addrs := internalIPs(n)
	for _, key := range []string{
		"flannel.alpha.coreos.com/public-ip", "flannel.alpha.coreos.com/public-ipv6",
		"projectcalico.org/IPv4Address", "projectcalico.org/IPv6Address",
	} {
		word, _, _ := strings.Cut(n.Annotations[key], "/")
		if a, err := netip.ParseAddr(word); err == nil && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}
