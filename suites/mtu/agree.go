// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
)

// The pods, the tunnels and the devices below them have the same MTU on every
// node: a sender knows its own and believes that it holds everywhere. The MTU
// that most nodes have is taken for the right one.
//
// What could fool it: nodes of different networks may differ on purpose, and then
// what is right for the smallest has to be configured on all.
//
// Turns red with: ip link set dev eth0 mtu 1400 (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.agree",
	Title:    "pods, tunnels and the devices below them have the same MTU on every node",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		if err := fleet.Ring(env).Alone(env); err != nil {
			return err
		}
		if err := noHosts(env); err != nil {
			return err
		}
		e, _ := encapsulationOf(env.Cluster.CNI)
		sites, err := survey(ctx, env, e)
		errs := []error{err}
		for _, part := range parts {
			errs = append(errs, disagreeing(sites, part)...)
		}
		return errors.Join(errs...)
	},
})

// part is one device of a node.
type part struct {
	name string
	of   func(site) device
}

var parts = []part{
	{"pods", func(s site) device { return s.pod }},
	{"the tunnel", func(s site) device { return s.tunnel[0] }},
	{"the tunnel over IPv6", func(s site) device { return s.tunnel[1] }},
	{"the device with the InternalIP", func(s site) device { return cmp.Or(s.underlay[0], s.underlay[1]) }},
}

// disagreeing are the failures of the nodes whose MTU is not that of most; of
// two that are as common, the larger is taken for right.
func disagreeing(sites map[string]site, p part) []error {
	count := map[int]int{}
	for _, s := range sites {
		if mtu := p.of(s).mtu; mtu > 0 {
			count[mtu]++
		}
	}
	usual := 0
	for mtu, n := range count {
		if n > count[usual] || n == count[usual] && mtu > usual {
			usual = mtu
		}
	}
	var errs []error
	for node, s := range sites {
		if d := p.of(s); d.mtu > 0 && d.mtu != usual {
			errs = append(errs, &check.Failure{
				Node:     node,
				Wanted:   fmt.Sprintf("%s to have an MTU of %d as on %d other nodes", p.name, usual, count[usual]),
				Observed: fmt.Sprintf("%s has %d", d.name, d.mtu),
			})
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errs
}
