// SPDX-License-Identifier: Apache-2.0

// Package dns holds the checks of area dns: names resolve in pods as Kubernetes
// says they do.
package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

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
// answers in the stead of the cluster's DNS; and queries that a replica on a cut
// off node swallowed say nothing about the node that asked, so where one of
// them runs on a node that failed a prerequisite, lost queries are inconclusive.
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
		jobs := lookups(service.Addrs)
		var failed bool
		asked := fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(probe.Pod) []job.Job { return jobs },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				if problem := misresolved(jobs, answers, service.Addrs); problem != "" {
					failed = true
					return &check.Failure{
						Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
						Wanted: fmt.Sprintf("%s to resolve to %v", workloads.AppPod, service.Addrs), Observed: problem,
					}
				}
				for _, j := range jobs {
					env.Record(check.Measurement{Name: "DNS lookup over " + j.Network, Node: from.Node, Value: float64(answers[j.ID].Took[0].Microseconds()) / 1000, Unit: "ms"})
				}
				return nil
			},
		})
		if !failed {
			return asked
		}
		return explained(ctx, env, asked)
	},
})

// atOnce is how many lookups of each kind a pod makes: with two replicas of
// which one is dead, one of 64 pods would not notice.
const atOnce = 6

// lookups are the jobs for one pod: of each type of address the Service has,
// over each network.
func lookups(addrs []netip.Addr) []job.Job {
	var jobs []job.Job
	for _, addr := range addrs {
		kind := "A"
		if addr.Is6() {
			kind = "AAAA"
		}
		for _, network := range []string{"udp", "tcp"} {
			for i := range atOnce {
				jobs = append(jobs, job.Job{
					ID: fmt.Sprintf("%s over %s #%d", kind, network, i), Kind: job.DNS, Name: workloads.AppPod,
					Type: kind, Network: network, Search: []string{job.ResolvConf},
				})
			}
		}
	}
	return jobs
}

// misresolved is what is wrong with the answers, empty when nothing is: each
// fault once, with how many lookups had it.
func misresolved(jobs []job.Job, answers fleet.Answers, addrs []netip.Addr) string {
	counts := map[string]int{}
	var order []string
	note := func(problem string) {
		if counts[problem]++; counts[problem] == 1 {
			order = append(order, problem)
		}
	}
	total := map[string]int{}
	for _, j := range jobs {
		what := j.Type + " over " + j.Network
		total[what]++
		switch r := answers[j.ID]; {
		case !r.OK:
			note(what + ": " + r.Error)
		case !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.ContainsFunc(r.Answers, func(s string) bool { return strings.HasSuffix(s, " "+a.String()) }) }):
			note(fmt.Sprintf("%s: %s answered %s", what, r.Server, strings.Join(r.Answers, ", ")))
		}
	}
	var problems []string
	for _, problem := range order {
		what, _, _ := strings.Cut(problem, ":")
		problems = append(problems, fmt.Sprintf("%s (%d of %d)", problem, counts[problem], total[what]))
	}
	return strings.Join(problems, "; ")
}
