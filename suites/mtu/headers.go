// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
)

// The MTU of pods is at most that of the tunnel, and the tunnel's at most that of
// the device below it less the headers it adds: 50 bytes for VXLAN over IPv4, 70
// over IPv6, none where routes alone do. It is arithmetic on what the probes see
// of the devices of their pod and of their node, no packet is sent.
//
// What could fool it: a tunnel over another device than the one with the node's
// InternalIP; a CNI whose headers are not known here does not apply. Over IPv6
// the pods' MTU is not judged against the tunnel's: there the node tells the pod
// what fits (RFC 8201), and dual-stack pods have one MTU for both families.
//
// Turns red with: ip link set dev eth0 mtu 1400 (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.headers",
	Title:    "the headers of the tunnel between nodes fit around the pods' packets",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		e, known := encapsulationOf(env.Cluster.CNI)
		if !known {
			return &check.NotApplicable{Lacks: fmt.Sprintf("a way between nodes whose headers are known, the CNI being %s with backend %q", env.Cluster.CNI.Kind, env.Cluster.CNI.Backend)}
		}
		if err := noHosts(env); err != nil {
			return err
		}
		sites, err := survey(ctx, env, e)
		errs := []error{err}
		for _, node := range fleet.Names(env.Nodes) {
			if s, ok := sites[node]; ok {
				errs = append(errs, s.arithmetic(env, node, e))
			}
		}
		return errors.Join(errs...)
	},
})

// arithmetic is the outcome on one node.
func (s site) arithmetic(env *check.Env, node string, e encapsulation) error {
	record := func(name string, six bool, bytes int) {
		env.Record(check.Measurement{Name: name + family(six), Node: node, Value: float64(bytes), Unit: "bytes"})
	}
	record("pod MTU", false, s.pod.mtu)
	if !slices.ContainsFunc(s.underlay[:], func(d device) bool { return d.mtu > 0 }) {
		return &check.Inconclusive{Node: node, Why: "no interface of it has its InternalIP, or its devices could not be read"}
	}
	var errs []error
	for i, below := range s.underlay {
		tunnel, six := s.tunnel[i], i == 1
		if below.mtu == 0 || e.devices[i] != "" && tunnel.mtu == 0 {
			continue // the tunnel is over the other family
		}
		room := below.mtu - e.overhead[i]
		record("underlay MTU", six, below.mtu)
		record("tunnel overhead", six, e.overhead[i])
		inner, place := s.pod, "of pods"
		if tunnel.mtu > 0 {
			record("tunnel MTU", six, tunnel.mtu)
			inner, place = tunnel, "of the node"
			if !six && s.pod.mtu > tunnel.mtu {
				errs = append(errs, exceeds(node, fmt.Sprintf("%s of pods to have at most %d, the MTU of %s", s.pod.name, tunnel.mtu, tunnel.name), s.pod))
			}
		}
		if inner.mtu > room && (tunnel.mtu > 0 || !six) {
			errs = append(errs, exceeds(node, fmt.Sprintf("%s %s to have at most %d = %d of %s - %d of %s%s", inner.name, place, room, below.mtu, below.name, e.overhead[i], e.name, family(six)), inner))
		}
	}
	if len(errs) == 0 && e.devices != [2]string{} && s.tunnel == [2]device{} {
		return &check.Inconclusive{Node: node, Why: fmt.Sprintf("it has no device %q that is up", e.devices[0])}
	}
	return errors.Join(errs...)
}

func exceeds(node, wanted string, d device) error {
	return &check.Failure{Node: node, Wanted: wanted, Observed: fmt.Sprintf("%s has an MTU of %d", d.name, d.mtu)}
}
