// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// A pod that is a backend of a Service reaches itself through the ClusterIP: on
// every node the probe pod connects to the probes' Service as often as it takes
// to be its own backend, and must have answered itself over TCP and UDP.
//
// The packet leaves the pod and comes back by the same interface, which a bridge
// forbids unless hairpin mode is on, and which needs masquerading so that the
// answer comes back too. What could fool it: beyond a dozen backends a pod may
// not be picked; then it is inconclusive and not red.
//
// Turns red with: ip link set dev <the pod's veth> type bridge_slave hairpin off (on a node)
var _ = check.Register(check.Check{
	ID:       "pod.hairpin",
	Title:    "a pod reaches itself through its Service's ClusterIP",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := balance.Read(ctx, env.Cluster.Client, env.Namespace, workloads.AppPod)
		if err != nil {
			return &check.Inconclusive{Why: "the probes' Service could not be read", Err: err}
		}
		tcp := func(i int) []job.Job { return service.Jobs(job.TCP, service.Addrs[i], workloads.ServicePortTCP) }
		udp := func(i int) []job.Job { return service.Jobs(job.UDP, service.Addrs[i], workloads.ServicePortUDP) }
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(probe.Pod) []job.Job {
				var jobs []job.Job
				for i := range service.Addrs {
					jobs = slices.Concat(jobs, tcp(i), udp(i))
				}
				return jobs
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var wrong []string
				for i, addr := range service.Addrs {
					all := service.Of(addr)
					if _, enough := balance.Tries(len(all)); !enough || !slices.ContainsFunc(all, func(b balance.Backend) bool { return b.Pod == from.Name }) {
						return &check.Inconclusive{Node: from.Node, Why: fmt.Sprintf("%s is not for certain picked among the %d backends of %s", from.Name, len(all), addr)}
					}
					for _, jobs := range [][]job.Job{tcp(i), udp(i)} {
						if m := balance.Meet(jobs, answers); !m.Pods[from.Name] {
							wrong = append(wrong, strings.TrimSuffix(fmt.Sprintf("%s %s: never in %d connections, %d were not answered: %s", jobs[0].Kind, jobs[0].Address, m.Sent, m.Sent-m.Received, m.Error), ": "))
						}
					}
				}
				if len(wrong) == 0 {
					return nil
				}
				return &check.Failure{
					Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
					Wanted: "the pod to be among those that answer it", Observed: strings.Join(wrong, "; "),
				}
			},
		})
	},
})
