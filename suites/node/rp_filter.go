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
	"github.com/cniproof/cniproof/framework/nodestate"
)

// The reverse path filter drops no packet of the pod network. A strict filter
// (the higher of conf/all and the interface's own setting is 1) drops what comes
// in by another interface than the answer would leave by, so two things are
// asked of the node:
//
//   - Packets of its peers come in by the interface of its InternalIP. Is that
//     strict, its way to each peer must be the same interface: a node with two
//     networks may answer by the other one.
//   - Packets of a pod with an interface of its own (not a bridge's port) come in
//     by that. Is it strict, some route must lead there. Calico, kindnet and ptp
//     have one per pod and may be strict; Cilium routes pods by cilium_host and
//     sets its interfaces to 0, which systemd's 50-default.conf undoes.
//
// flannel's and Calico's tunnels are the way back themselves, so strict fits
// them. Loose (2) drops nothing here; a Calico that refuses it does not start.
// IPv6 has no such setting. What could fool it: an InternalIP on a dummy or on
// lo, as routing to the host has it; there the way in is not known and nothing
// is said.
//
// Turns red with: sysctl -w net.ipv4.conf.eth0.rp_filter=1; ip link add spare
// type veth peer name spare2; ip link set spare2 up; ip link set spare up; ip
// route add <a peer's InternalIP> dev spare (on a node)
var _ = check.Register(check.Check{
	ID:       "node.rp-filter",
	Title:    "the reverse path filter lets the pod network's packets in",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		if !has(env, corev1.IPv4Protocol) {
			return &check.NotApplicable{Lacks: "IPv4 pods, the kernel has no reverse path filter for IPv6"}
		}
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: func(n cluster.Node) []nodestate.Part {
				return []nodestate.Part{nodestate.Sysctls, nodestate.Links, nodestate.Routes, nodestate.Ways(peerAddrs(env, n.Name))}
			},
			Judge: func(s *nodestate.State) error {
				links, err := s.Links()
				if err != nil {
					return err
				}
				settings, err := s.Sysctls()
				if err != nil {
					return err
				}
				return errors.Join(fromPeers(env, s, links, settings), fromPods(s, links, settings))
			},
		})
	},
})

// peerAddrs are the IPv4 InternalIPs of the node's peers.
func peerAddrs(env *check.Env, node string) []netip.Addr {
	var addrs []netip.Addr
	for _, p := range peers(env, node) {
		for _, ip := range p.InternalIPs {
			if ip.Is4() {
				addrs = append(addrs, ip)
			}
		}
	}
	return addrs
}

func fromPeers(env *check.Env, s *nodestate.State, links []nodestate.Link, settings nodestate.Settings) error {
	ways, err := s.Ways(peerAddrs(env, s.Node.Name))
	if err != nil {
		return err
	}
	var errs []error
	for _, own := range s.Node.InternalIPs {
		in := nodestate.Holder(links, own)
		if !own.Is4() || in == nil || in.Name == "lo" || in.Kind == "dummy" || in.Master != "" || !settings.Strict(in.Name) {
			continue
		}
		for _, p := range peers(env, s.Node.Name) {
			for _, ip := range p.InternalIPs {
				if out, ok := ways[ip]; ok && out != in.Name {
					errs = append(errs, &check.Failure{
						Node: s.Node.Name, Peer: p.Name,
						Wanted:   fmt.Sprintf("a filter that lets %s in by %s, the interface of InternalIP %s", ip, in.Name, own),
						Observed: fmt.Sprintf("%s is strict and the way back to %s is %s", in.Name, ip, out),
					})
				}
			}
		}
	}
	return errors.Join(errs...)
}

func fromPods(s *nodestate.State, links []nodestate.Link, settings nodestate.Settings) error {
	routes, err := s.Routes()
	if err != nil {
		return err
	}
	var shut []string
	for _, l := range links {
		// An interface with an address that reaches further is the node's own,
		// even where the node is a container and it is a veth.
		own := slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr().Is4() && !p.IsSingleIP() })
		if l.Kind != "veth" || !l.Peered || !l.Up || l.Master != "" || own || strings.HasPrefix(l.Name, "lxc_health") || !settings.Strict(l.Name) {
			continue
		}
		if !slices.ContainsFunc(routes, func(r nodestate.Route) bool { return r.Dev == l.Name && r.Dst.Addr().Is4() }) {
			shut = append(shut, l.Name)
		}
	}
	if len(shut) == 0 {
		return nil
	}
	return &check.Failure{
		Node: s.Node.Name, Wanted: "a filter that lets packets in from the pods' interfaces",
		Observed: fmt.Sprintf("strict on %s, where no route leads back", strings.Join(shut, ", ")),
	}
}
