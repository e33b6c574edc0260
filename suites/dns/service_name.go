// SPDX-License-Identifier: Apache-2.0

// Package dns holds the checks of area dns: names resolve in pods as Kubernetes
// says they do.
package dns

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// From a pod on every node the short name of the probes' Service is looked up
// as a C library would: with the nameservers, search list and ndots of the pod's
// own resolv.conf; a few times at once over UDP and over TCP, so that a single
// replica that does not answer shows. The answer must be the ClusterIP.
//
// Servers that do not answer, names that do not exist and servers that fail are
// different faults and told apart. What could fool it: a cache on the node
// answers in the stead of the cluster's DNS; and queries that a replica on a
// cut-off node swallowed say nothing about the node that asked, so where one
// runs on a node that failed a prerequisite, lost queries are inconclusive.
//
// Turns red with: kubectl -n kube-system scale deployment coredns --replicas=0
var _ = check.Register(check.Check{
	ID:       "dns.service-name",
	Title:    "a pod resolves a Service by its short name over UDP and TCP, from every node",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := balance.Read(ctx, env.Cluster.Client, env.Namespace, workloads.AppPod)
		if err != nil {
			return &check.Inconclusive{Why: "the probes' Service could not be read", Err: err}
		}
		replicas := replicasOf(ctx, env)
		asked := lookups(workloads.AppPod, service.Addrs)
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(probe.Pod) []job.Job { return asked },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				faults := misresolved(asked, answers, service.Addrs)
				switch {
				case len(faults) == 0:
					latency(env, from, asked, answers)
					return nil
				case onlyLost(faults) && replicas.cutOff != "":
					return &check.Inconclusive{Node: from.Node, Why: words(faults) + "; " + replicas.cutOff}
				}
				return &check.Failure{
					Node: from.Node, Pods: append([]string{from.Namespace + "/" + from.Name}, replicas.pods...),
					Wanted:   fmt.Sprintf("%s to resolve to %v", workloads.AppPod, service.Addrs),
					Observed: replicas.note + words(faults),
				}
			},
		})
	},
})

// latency records the median of the lookups over each network.
func latency(env *check.Env, from probe.Pod, jobs []job.Job, answers fleet.Answers) {
	took := map[string][]time.Duration{}
	for _, j := range jobs {
		if times := answers[j.ID].Took; len(times) > 0 {
			took[j.Network] = append(took[j.Network], times...)
		}
	}
	for network, times := range took {
		slices.Sort(times)
		median := times[len(times)/2]
		env.Record(check.Measurement{Name: "DNS lookup over " + network, Node: from.Node, Value: float64(median.Microseconds()) / 1000, Unit: "ms"})
	}
}
