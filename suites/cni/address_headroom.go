// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/ipam"
)

// fewAddresses is how much of a range, in percent, leaves no headroom.
const fewAddresses = 85

// No range that pod addresses come from is more than 85 percent taken: each
// node's where the CNI gives every node one (flannel, kindnet, Cilium), else the
// cluster's (Calico's IPPools). It is read from the CNI's own address management,
// so that leases whose pod is long gone count, as they do for the next pod. How
// much is taken is recorded.
//
// Turns red with: for i in $(seq 20 250); do echo x >
// /var/lib/cni/networks/cbr0/10.244.2.$i; done (on the node with that range)
var _ = check.Register(check.Check{
	ID:       "cni.address-headroom",
	Title:    "every node has pod addresses left",
	Level:    check.Advisory,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		nodes, unable := fleet.Able(env)
		ranges, _, err := ipam.Ranges(ctx, env.Cluster)
		if err == nil {
			var leases map[string]ipam.Leases
			leases, err = ipam.Read(ctx, env.Cluster, fleet.Names(nodes)...)
			if err == nil || len(leases) > 0 {
				return errors.Join(unable, unread(fleet.Names(nodes), leases, err), headroom(env, ranges, leases))
			}
		}
		if errors.Is(err, ipam.ErrUnknown) {
			return &check.NotApplicable{Lacks: err.Error()}
		}
		return &check.Inconclusive{Why: "the address management could not be read", Err: err}
	},
})

// unread are the nodes whose leases are not known.
func unread(nodes []string, leases map[string]ipam.Leases, err error) error {
	var errs []error
	for _, node := range nodes {
		if _, ok := leases[node]; !ok {
			errs = append(errs, &check.Inconclusive{Node: node, Why: "the address management could not be read", Err: err})
		}
	}
	return errors.Join(errs...)
}

func headroom(env *check.Env, ranges map[string][]netip.Prefix, leases map[string]ipam.Leases) error {
	// Where all nodes share their ranges, so do their leases.
	shared := len(ranges) > 1
	for _, node := range env.Nodes {
		shared = shared && slices.Equal(ranges[node.Name], ranges[env.Nodes[0].Name])
	}
	var errs []error
	if !shared {
		for _, n := range env.Nodes {
			if held, ok := leases[n.Name]; ok {
				errs = append(errs, tight(env, n.Name, ranges[n.Name], []ipam.Leases{held}))
			}
		}
		return errors.Join(errs...)
	}
	if len(env.Nodes) < len(env.Cluster.Nodes) {
		return &check.NotApplicable{Lacks: "ranges of single nodes; all nodes share theirs, and not all are in scope"}
	}
	var all []ipam.Leases
	for _, held := range leases {
		all = append(all, held)
	}
	return tight(env, "", ranges[env.Nodes[0].Name], all)
}

// tight records how much of each range is taken and is a failure where that is
// too much; node is empty for ranges of all nodes.
func tight(env *check.Env, node string, ranges []netip.Prefix, leases []ipam.Leases) error {
	var errs []error
	for _, r := range ranges {
		taken := 0
		for _, held := range leases {
			for a := range held {
				if r.Contains(a) {
					taken++
				}
			}
		}
		// The network's own address, the gateway and, in IPv4, broadcast are nobody's.
		size := math.Exp2(float64(r.Addr().BitLen()-r.Bits())) - 3
		used := 100 * float64(taken) / max(size, 1)
		env.Record(check.Measurement{Name: "pod addresses taken", Node: node, Value: used, Unit: "percent"})
		if used > fewAddresses {
			errs = append(errs, &check.Failure{Node: node, Wanted: fmt.Sprintf("at most %d %% of %s taken", fewAddresses, r), Observed: fmt.Sprintf("%d of %.0f addresses, %.0f %%", taken, size, used)})
		}
	}
	return errors.Join(errs...)
}
