// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/ipam"
)

// The addresses of a node's pods are from the range that the other nodes route
// to it. Which that is, the CNI decides: the node's podCIDRs for flannel and
// kindnet, the CiliumNode's ranges for Cilium, any IPPool for Calico, whose
// nodes may hold addresses from anywhere in it.
//
// All running pods are judged, so that pods left over from another CNI or from
// before a node's range changed are found as well. What could fool it: the
// status of a pod that is ending still names an address it no longer holds;
// those are left out.
var _ = check.Register(check.Check{
	ID:       "sandbox.address-in-node-range",
	Title:    "a pod's address is in its node's range",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		ranges, name, err := ipam.Ranges(ctx, env.Cluster)
		switch {
		case errors.Is(err, ipam.ErrUnknown):
			return &check.NotApplicable{Lacks: err.Error()}
		case err != nil:
			return &check.Inconclusive{Why: "the pod ranges could not be read", Err: err}
		}
		astray := map[string][]holder{}
		judged := map[string]int{}
		err = eachPod(ctx, env, func(pod *corev1.Pod) {
			h, ok := holderOf(pod)
			if !ok {
				return
			}
			judged[h.node]++
			if slices.ContainsFunc(h.addrs, func(a netip.Addr) bool { return !inside(a, ranges[h.node]) }) {
				astray[h.node] = append(astray[h.node], h)
			}
		})
		if err != nil {
			return err
		}
		nodes, unable := fleet.Able(env)
		errs := []error{unable}
		for _, n := range nodes {
			switch holders := astray[n.Name]; {
			case judged[n.Name] == 0:
				errs = append(errs, &check.Inconclusive{Node: n.Name, Why: "no pod with an address of the pod network runs there"})
			case len(ranges[n.Name]) == 0:
				errs = append(errs, &check.Inconclusive{Node: n.Name, Why: "its pods have addresses but " + name + " is not known"})
			case len(holders) > 0:
				errs = append(errs, &check.Failure{
					Node: n.Name, Pods: refs(holders),
					Wanted:   fmt.Sprintf("addresses in %s, %v", name, ranges[n.Name]),
					Observed: addresses(holders),
				})
			}
		}
		return errors.Join(errs...)
	},
})

func inside(a netip.Addr, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}

func refs(holders []holder) []string {
	var names []string
	for _, h := range holders {
		names = append(names, h.ref)
	}
	return names
}

// addresses names some pods with their addresses.
func addresses(holders []holder) string {
	const some = 5
	var words []string
	for _, h := range holders[:min(len(holders), some)] {
		words = append(words, fmt.Sprintf("%s on %s has %v", h.ref, h.node, h.addrs))
	}
	if more := len(holders) - some; more > 0 {
		words = append(words, fmt.Sprintf("and %d more pods", more))
	}
	return strings.Join(words, ", ")
}
