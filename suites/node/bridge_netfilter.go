// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// Where pods hang on a bridge (the bridge plugin, flannel, Weave Net), what the
// bridge switches passes through the packet filter: br_netfilter is loaded and
// bridge-nf-call-iptables is on, for all bridges or for this one. Without it the
// answer of a Service's backend to a pod on the same bridge takes the short way,
// is not translated back and fits no connection of the client.
//
// A bridge is the pods' when it has an address of the node's pod range; one
// that does not exist yet, before the node's first pod, cannot be judged. Where
// nothing on the node translates Services (ProxyMode none), it does not matter.
//
// Turns red with: sysctl -w net.bridge.bridge-nf-call-iptables=0 (on a node)
var _ = check.Register(check.Check{
	ID:       "node.bridge-netfilter",
	Title:    "bridged packets of pods pass the node's packet filter",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		if env.Cluster.ProxyMode == "none" {
			return &check.NotApplicable{Lacks: "kube-proxy, whose translation of Services bridged packets must not bypass"}
		}
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Sysctls, nodestate.Links),
			Judge: func(s *nodestate.State) error { return filtered(env, s) },
		})
	},
})

func filtered(env *check.Env, s *nodestate.State) error {
	links, err := s.Links()
	if err != nil {
		return err
	}
	settings, err := s.Sysctls()
	if err != nil {
		return err
	}
	var errs []error
	bridges := 0
	for _, l := range links {
		if l.Kind != "bridge" || !carriesPods(l, podRanges(env, s.Node)) {
			continue
		}
		bridges++
		for _, family := range []struct {
			name    corev1.IPFamily
			setting string
			own     bool
		}{{corev1.IPv4Protocol, "bridge-nf-call-iptables", l.Filtered}, {corev1.IPv6Protocol, "bridge-nf-call-ip6tables", l.Filtered6}} {
			value, loaded := settings["net/bridge/"+family.setting]
			if !has(env, family.name) || family.own || value == 1 {
				continue
			}
			observed := "it is 0"
			if !loaded {
				observed = "there is no such setting, br_netfilter is not loaded"
			}
			errs = append(errs, &check.Failure{Node: s.Node.Name, Wanted: fmt.Sprintf("net.bridge.%s = 1, pods hang on bridge %s", family.setting, l.Name), Observed: observed})
		}
	}
	if bridges == 0 {
		return &check.NotApplicable{Node: s.Node.Name, Lacks: "a bridge that pods hang on"}
	}
	return errors.Join(errs...)
}

func carriesPods(l nodestate.Link, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return inside(ranges, p.Addr()) })
}
