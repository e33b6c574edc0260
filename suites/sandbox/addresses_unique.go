// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// No two pods of the cluster hold the same address. Pods on the host network
// share their node's by design; pods that end, or have no sandbox, hold none
// (see holderOf): the kubelet removes a pod's object after its address is free,
// so that a new pod may rightly have it.
//
// Where one of the two is outside its node's range, that one is where the fault
// is; otherwise the pair is reported.
var _ = check.Register(check.Check{
	ID:       "sandbox.addresses-unique",
	Title:    "no two pods share an address",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		holders := map[netip.Addr]holder{}
		shared := map[netip.Addr][]holder{}
		err := eachPod(ctx, env, func(pod *corev1.Pod) {
			h, _ := holderOf(pod)
			for _, addr := range h.addrs {
				first, taken := holders[addr]
				switch {
				case !taken:
					holders[addr] = h
				case len(shared[addr]) == 0:
					shared[addr] = []holder{first, h}
				default:
					shared[addr] = append(shared[addr], h)
				}
			}
		})
		if err != nil {
			return err
		}
		env.Record(check.Measurement{Name: "pod addresses in use", Value: float64(len(holders)), Unit: "count"})
		ranges := map[string][]netip.Prefix{}
		for _, n := range env.Cluster.Nodes {
			ranges[n.Name] = n.PodCIDRs
		}
		var errs []error
		for addr, holders := range shared {
			errs = append(errs, clash(addr, holders, ranges)...)
		}
		return errors.Join(errs...)
	},
})

// clash are the failures of pods with one address.
func clash(addr netip.Addr, holders []holder, ranges map[string][]netip.Prefix) []error {
	failure := check.Failure{
		Pods: refs(holders), Wanted: "one pod to hold " + addr.String(), Observed: addresses(holders),
	}
	var errs []error
	for _, h := range holders {
		if !inside(addr, ranges[h.node]) {
			f := failure
			f.Node = h.node
			errs = append(errs, &f)
		}
	}
	if len(errs) > 0 && len(errs) < len(holders) {
		return errs
	}
	errs = nil
	for _, h := range holders[1:] {
		f := failure
		f.Node, f.Peer = holders[0].node, h.node
		errs = append(errs, &f)
	}
	return errs
}
