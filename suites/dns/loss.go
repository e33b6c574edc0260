// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// Lookups per node and the time from one to the next: about a second in all. A
// cluster of more than fully nodes makes fewer on each, so that its DNS has no
// more to do.
const (
	perNode = 200
	fewest  = 20
	fully   = 100
	pace    = 5 * time.Millisecond
)

// patience is how long a C library waits before it asks again (RES_TIMEOUT of
// resolv.conf(5)); busy is a median beyond which a server or the machine is
// overloaded, which a lost lookup may be due to as well as to the network.
const (
	patience = 5 * time.Second
	busy     = 100 * time.Millisecond
)

// From a pod on every node 200 lookups of the probes' Service are made over UDP
// in about a second, none of them twice. All must be answered; the time within
// which 99 of 100 were is recorded.
//
// What could fool it: a server that is overloaded by others at that moment
// loses queries as a bad link does; where the other lookups were slow too, that
// is inconclusive. A lookup that waited for a busy probe counts as slow.
//
// Turns red with: iptables -I FORWARD -s <the node's podCIDR> -p udp --dport 53
// -m statistic --mode nth --every 50 --packet 0 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "dns.loss",
	Title:    "of 200 lookups over UDP in a second none is lost, on every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Waits:    true,
	Run: func(ctx context.Context, env *check.Env) error {
		servers := explain(ctx, env)
		count := perNode
		if n := len(env.Nodes); n > fully {
			count = max(fewest, perNode*fully/n)
		}
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job {
				kind := "A"
				if !fleet.SameFamily(from, "0.0.0.0") {
					kind = "AAAA"
				}
				return []job.Job{{
					ID: "lookups", Kind: job.DNS, Name: workloads.AppPod, Type: kind, Network: "udp",
					Search: []string{job.ResolvConf}, Count: count, Every: pace, Timeout: patience,
				}}
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				r := answers["lookups"]
				slices.Sort(r.Took)
				n := len(r.Took)
				switch {
				case !r.OK && n > 0 && r.Took[n/2] > busy:
					return &check.Inconclusive{Node: from.Node, Why: fmt.Sprintf("%d of %d lookups answered, half of them after %s and more: too slow to tell loss from load", n, r.Sent, r.Took[n/2].Round(time.Millisecond))}
				case !r.OK:
					return servers.blame(from, lost(r.Error == job.TimedOut),
						fmt.Sprintf("%d lookups answered", r.Sent), fmt.Sprintf("%d: %s", r.Received, fleet.Says(r)))
				case n > 0:
					env.Record(check.Measurement{Name: "DNS lookup p99", Node: from.Node, Value: milliseconds(r.Took[(n*99+99)/100-1]), Unit: "ms"})
				}
				return nil
			},
		})
	},
})
