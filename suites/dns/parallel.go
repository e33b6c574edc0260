// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"fmt"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// pairs is how many pairs of questions a pod asks, each from a socket of its
// own.
const pairs = 32

// From a pod on every node A and AAAA of the probes' Service are asked for at
// once from one UDP socket, as glibc and musl do, some pairs at the same time.
// Both must be answered. Where only one is, programs wait five seconds for
// glibc to ask again: the kernel's conntrack may lose one of two packets of a
// new flow that pass a rule of NAT at the same time (kubernetes/kubernetes
// issue 56903).
//
// What could fool it: the race needs both packets on different processors, so
// that a kernel which has it may show it seldom; and on a machine under load
// an answer may be late.
//
// Turns red with: iptables -I FORWARD -s <the node's podCIDR> -p udp --dport 53
// -m string --algo bm --hex-string "|00001c0001|" -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "dns.parallel-a-aaaa",
	Title:    "A and AAAA asked for at once from one socket are both answered, on every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Run: func(ctx context.Context, env *check.Env) error {
		servers := explain(ctx, env)
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(probe.Pod) []job.Job {
				jobs := make([]job.Job, pairs)
				for i := range jobs {
					jobs[i] = job.Job{ID: fmt.Sprint("pair #", i), Kind: job.DNSPair, Name: workloads.AppPod, Search: []string{job.ResolvConf}}
				}
				return jobs
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				missed, example := 0, job.Result{}
				for _, r := range answers {
					if r.OK {
						continue
					}
					// A server that gave one of the two answers is alive: that pair tells most.
					if missed++; example.RCode == "" {
						example = r
					}
				}
				if missed == 0 {
					return nil
				}
				return servers.blame(from, lost(example.Error == job.TimedOut && example.RCode == ""),
					fmt.Sprintf("both answers to each of %d pairs", pairs), fmt.Sprintf("%d pairs without: %s", missed, fleet.Says(example)))
			},
		})
	},
})
