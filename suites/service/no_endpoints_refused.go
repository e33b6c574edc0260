// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// A Service without endpoints refuses a client at once, over TCP and UDP, from a
// pod and from the network of every node: kube-proxy and those that stand in for
// it reject such packets, so that clients fail fast instead of waiting out their
// timeouts.
//
// Which error they send differs (port unreachable, reset, no route, denied) and
// is not judged; that nothing comes back is red, and so is an answer. What could
// fool it: a rule that lets no ICMP back in to the client.
//
// Turns red with: iptables -I OUTPUT -p icmp --icmp-type port-unreachable -j
// DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "service.no-endpoints-refused",
	Title:    "a Service without endpoints refuses clients at once, from every node",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip", "service.from-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := read(ctx, env, workloads.Empty)
		if err != nil {
			return err
		}
		var jobs []job.Job
		for _, f := range onClusterIPs(env, service, echoes...).fronts(probe.Pod{}) {
			jobs = append(jobs, job.Job{ID: f.kind + " " + f.at.String(), Kind: f.kind, Address: f.at.String()})
		}
		return everywhere(ctx, env, fleet.Question{
			Jobs: func(probe.Pod) []job.Job { return jobs },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var wrong []string
				for _, j := range jobs {
					switch r := answers[j.ID]; {
					case r.OK:
						wrong = append(wrong, j.ID+": "+said(r))
					case r.Error == job.TimedOut:
						wrong = append(wrong, fmt.Sprintf("%s: nothing came back (%s)", j.ID, r.Message))
					}
				}
				if len(wrong) == 0 {
					return nil
				}
				return &check.Failure{
					Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
					Wanted:   "to be refused at once by Service " + service.Ref + ", which has no endpoints",
					Observed: strings.Join(wrong, "; "),
				}
			},
		})
	},
})
