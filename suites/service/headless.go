// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// The endpoints of a headless Service are the probe pods that are ready, by
// their addresses of every family the Service has, and a pod on every node
// reaches over HTTP those of its own and of its neighbours' nodes. Nothing
// stands between: what DNS answers for such a Service is what is here.
//
// What could fool it: a pod that became ready or was replaced just now, before
// its endpoint was; the next attempt finds it.
//
// Turns red with: iptables -t raw -I PREROUTING -p tcp --dport 8080 -j DROP (on
// a node)
var _ = check.Register(check.Check{
	ID:       "service.headless",
	Title:    "the endpoints of a headless Service are its pods' addresses and answer, from every node",
	Level:    check.Required,
	Requires: []string{"pod.other-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		ready, err := balance.Endpoints(ctx, env.Cluster.Client, env.Namespace, workloads.Headless)
		if err != nil {
			return &check.Inconclusive{Why: "the endpoints of the headless Service could not be read", Err: err}
		}
		all := slices.Concat(ready[corev1.IPv4Protocol], ready[corev1.IPv6Protocol])
		errs := []error{missing(env, ready)}
		pairs := fleet.Ring(env)
		jobs := func(from probe.Pod) []job.Job {
			var jobs []job.Job
			for _, b := range all {
				if fleet.SameFamily(from, b.Addr.String()) && slices.Contains(pairs[from.Node], b.Node) {
					url := "http://" + net.JoinHostPort(b.Addr.String(), strconv.Itoa(job.PortHTTP)) + "/"
					jobs = append(jobs, job.Job{ID: b.Node + " " + url, Kind: job.HTTP, Address: url})
				}
			}
			return jobs
		}
		if pairs.Alone(env) != nil {
			return errors.Join(errs...)
		}
		return errors.Join(append(errs, fleet.Ask(ctx, env, fleet.Question{Pods: env.Pods, Jobs: jobs, Judge: func(from probe.Pod, answers fleet.Answers) error {
			var errs []error
			for _, j := range jobs(from) {
				if r := answers[j.ID]; !r.OK {
					node, url, _ := strings.Cut(j.ID, " ")
					errs = append(errs, &check.Failure{
						Node: from.Node, Peer: node, Pods: []string{from.Namespace + "/" + from.Name},
						Wanted: "an answer of " + url + ", an endpoint of the headless Service", Observed: fleet.Says(r),
					})
				}
			}
			return errors.Join(errs...)
		}}))...)
	},
})

// missing are failures for the probe pods that are no endpoints.
func missing(env *check.Env, ready map[corev1.IPFamily][]balance.Backend) error {
	nodes, _ := fleet.Able(env)
	var errs []error
	for _, n := range nodes {
		pod, ok := env.Pods[n.Name]
		if !ok {
			continue
		}
		for family, backends := range ready {
			if !slices.ContainsFunc(backends, func(b balance.Backend) bool { return slices.Contains(pod.IPs, b.Addr.String()) }) {
				errs = append(errs, &check.Failure{
					Node: n.Name, Pods: []string{pod.Namespace + "/" + pod.Name},
					Wanted:   fmt.Sprintf("an %s endpoint of the headless Service with an address of the pod, %v", family, pod.IPs),
					Observed: fmt.Sprintf("%d endpoints, none of them with one", len(backends)),
				})
			}
		}
		if len(ready) == 0 {
			errs = append(errs, &check.Failure{Node: n.Name, Wanted: "pod " + pod.Name + " an endpoint of the headless Service", Observed: "the Service has none at all"})
		}
	}
	return errors.Join(errs...)
}
