// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// The kernel forwards packets between interfaces, in each family of the pod
// network: net.ipv4.ip_forward, and the setting of each interface that carries
// pods' packets, which a hardening tool may have set on its own; for IPv6
// net.ipv6.conf.all.forwarding, the only one its forwarding asks for. Without it
// a node drops every packet that is not for itself.
//
// Interfaces that carry no pod's packets (a storage network) may be closed: only
// those of the InternalIP and of routes into pod ranges are judged.
//
// The bridge plugin switches ip_forward on again with each pod it connects, so
// that only an interface stays closed on a node with flannel.
//
// Turns red with: sysctl -w net.ipv4.conf.eth0.forwarding=0 (on a node)
var _ = check.Register(check.Check{
	ID:       "node.ip-forward",
	Title:    "the kernel forwards packets",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Sysctls, nodestate.Links, nodestate.Routes),
			Judge: func(s *nodestate.State) error { return forwards(env, s) },
		})
	},
})

func forwards(env *check.Env, s *nodestate.State) error {
	settings, err := s.Sysctls()
	if err != nil {
		return err
	}
	var errs []error
	off := func(setting, means string) {
		errs = append(errs, &check.Failure{Node: s.Node.Name, Wanted: setting + " = 1", Observed: "it is 0: " + means})
	}
	if v, ok := settings["net/ipv6/conf/all/forwarding"]; ok && v == 0 && has(env, corev1.IPv6Protocol) {
		off("net.ipv6.conf.all.forwarding", "the kernel forwards no IPv6 packet")
	}
	if !has(env, corev1.IPv4Protocol) {
		return errors.Join(errs...)
	}
	if settings["net/ipv4/ip_forward"] == 0 {
		off("net.ipv4.ip_forward", "the kernel forwards no IPv4 packet")
		return errors.Join(errs...)
	}
	carriers, err := carriers(env, s)
	if err != nil {
		return err
	}
	for _, link := range carriers {
		if v, ok := settings["net/ipv4/conf/"+link+"/forwarding"]; ok && v == 0 {
			off("net/ipv4/conf/"+link+"/forwarding", "the kernel forwards nothing that comes in by "+link)
		}
	}
	return errors.Join(errs...)
}

// carriers are the interfaces pods' packets come in by: those that routes into
// the pod ranges leave by, and that of the node's InternalIP.
func carriers(env *check.Env, s *nodestate.State) ([]string, error) {
	links, err := s.Links()
	if err != nil {
		return nil, err
	}
	routes, err := s.Routes()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, ip := range s.Node.InternalIPs {
		if l := nodestate.Holder(links, ip); l != nil {
			names = append(names, l.Name)
		}
	}
	for _, r := range routes {
		if r.Dev != "" && r.Dst.Bits() > 0 && r.Dst.Addr().Is4() && inside(podRanges(env, s.Node), r.Dst.Addr()) {
			names = append(names, r.Dev)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "lo" }), nil
}
