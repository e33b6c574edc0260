// SPDX-License-Identifier: Apache-2.0

// Package dns holds the checks of area dns: names resolve in pods as Kubernetes
// says they do (the DNS specification of kubernetes/dns and the documentation of
// dnsPolicy).
package dns

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// atOnce is how many lookups of each kind a pod makes for the short name: of two
// replicas, a dead one goes unnoticed by one pod in 64.
const atOnce = 6

// From a pod on every node the short name of the probes' Service is looked up
// as a C library would: with the nameservers, search list and ndots of the pod's
// own resolv.conf; a few times at once over UDP and over TCP, so that a single
// replica that does not answer shows. The answer must be the ClusterIP.
//
// What could fool it: a cache on the node answers in the stead of the cluster's
// DNS; and queries that a replica on a cut-off node swallowed say nothing about
// the node that asked, so where one runs on a node that failed a prerequisite,
// lost queries are inconclusive.
//
// Turns red with: clusterDNS: [10.96.0.99] in /var/lib/kubelet/config.yaml of a
// node, its kubelet restarted before the probes are made
var _ = check.Register(check.Check{
	ID:       "dns.service-name",
	Title:    "a pod resolves a Service by its short name over UDP and TCP, from every node",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip", "dns.endpoints-ready"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := probeService(ctx, env)
		if err != nil {
			return err
		}
		return inquiry{
			lookups: of(workloads.AppPod, service.Addrs), times: atOnce,
			right: func(from probe.Pod, asked []job.Job, answers fleet.Answers) { latency(env, from, asked, answers) },
		}.ask(ctx, env)
	},
})

// probeService is the Service over the probes.
func probeService(ctx context.Context, env *check.Env) (balance.Service, error) {
	service, err := balance.Read(ctx, env.Cluster.Client, env.Namespace, workloads.AppPod)
	if err != nil {
		return service, &check.Inconclusive{Why: "the probes' Service could not be read", Err: err}
	}
	return service, nil
}

// inNamespace tells whether a fully qualified name is that of the Service over
// the probes, whatever the cluster's domain.
func inNamespace(env *check.Env, name string) bool {
	return strings.HasPrefix(name, workloads.AppPod+"."+env.Namespace+".svc.")
}

// latency records the median of the lookups over each network.
func latency(env *check.Env, from probe.Pod, jobs []job.Job, answers fleet.Answers) {
	took := map[string][]time.Duration{}
	for _, j := range jobs {
		if times := answers[j.ID].Took; len(times) > 0 {
			took[over(j.Network)] = append(took[over(j.Network)], times...)
		}
	}
	for network, times := range took {
		slices.Sort(times)
		env.Record(check.Measurement{Name: "DNS lookup over " + network, Node: from.Node, Value: milliseconds(times[len(times)/2]), Unit: "ms"})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
