// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/target"
)

// From a pod on every node each DNS target is asked for the name servers of the
// root, directly, over UDP and over TCP. Any answer counts, a refusal too: what
// the server knows is not the network's business.
//
// What could fool it: a firewall that answers port 53 in the target's stead.
//
// Turns red with: iptables -I FORWARD -d <target> -p udp --dport 53 -j DROP (on a
// node)
var _ = check.Register(check.Check{
	ID:       "egress.dns",
	Title:    "a pod gets answers from DNS servers outside the cluster over UDP and TCP, from every node",
	Level:    check.Required,
	Requires: []string{"pod.to-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		return trip{
			what: "an answer over UDP and TCP from", schemes: []string{target.DNS}, hint: "dns://host",
			jobs: func(to target.Target) []job.Job {
				var jobs []job.Job
				for _, network := range []string{"udp", "tcp"} {
					jobs = append(jobs, job.Job{ID: to.String() + " over " + network, Kind: job.DNS, Address: to.Address, Name: ".", Type: "NS", Network: network})
				}
				return jobs
			},
			arrived: func(r job.Result) bool { return r.RCode != "" },
		}.run(ctx, env)
	},
})
