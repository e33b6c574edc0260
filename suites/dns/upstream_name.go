// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/target"
)

// From a pod on every node a name outside the cluster is looked up, which the
// cluster's DNS has to ask its upstream for: on a cluster of the harness's own a
// name that was never asked for before, else the hosts of -egress-target.
//
// What could fool it: an answer that a cache still has from before, for the
// hosts of -egress-target; their addresses are not known, so any will do.
//
// Turns red with: forward . 127.0.0.1:5354 in the Corefile
var _ = check.Register(check.Check{
	ID:       "dns.upstream-name",
	Title:    "a pod resolves a name outside the cluster, from every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Run: func(ctx context.Context, env *check.Env) error {
		var lookups []lookup
		if outside := env.Cluster.Outside; outside != nil {
			addrs := slices.DeleteFunc(slices.Clone(outside.Addrs), func(a netip.Addr) bool { return !served(env, a) })
			lookups = of(rand.String(8)+"."+outside.Zone+".", addrs)
		} else {
			for _, host := range hosts(env) {
				lookups = append(lookups, lookup{
					name: host + ".", kind: "A", wanted: "an answer",
					right: func(r job.Result) bool { return r.OK || r.Error == job.NoData },
				})
			}
		}
		if len(lookups) == 0 {
			return &check.NotApplicable{Lacks: "a name outside the cluster that is to resolve; name one with -egress-target host:port"}
		}
		return inquiry{lookups: lookups}.ask(ctx, env)
	},
})

// served tells whether pods have addresses of the family.
func served(env *check.Env, addr netip.Addr) bool {
	family := corev1.IPv4Protocol
	if addr.Is6() {
		family = corev1.IPv6Protocol
	}
	return len(env.Cluster.Families) == 0 || slices.Contains(env.Cluster.Families, family)
}

// hosts are the names among the egress targets, each once.
func hosts(env *check.Env) []string {
	var names []string
	for _, text := range env.EgressTargets {
		t, err := target.Parse(text)
		if err != nil {
			continue // area egress says so
		}
		if _, address := t.IP(); !address && !slices.Contains(names, t.Host()) {
			names = append(names, t.Host())
		}
	}
	return names
}
