// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/target"
)

// From a pod on every node the forward proxy is connected to, and pages of the
// HTTP and HTTPS targets are asked for through it, but for those that NO_PROXY
// exempts. A proxy that the network does not let pods reach and a proxy that
// refuses or fails are different faults. NO_PROXY itself must exempt the
// cluster's own Services, or programs would send the proxy what it cannot reach.
//
// What could fool it: a proxy may answer for a target without having reached it.
//
// Turns red with: iptables -I FORWARD -d <proxy> -p tcp --dport 3128 -j DROP (on
// a node); -egress-proxy with a -egress-no-proxy that lacks the Service range
var _ = check.Register(check.Check{
	ID:       "egress.proxy",
	Title:    "a pod reaches web targets through the proxy, and NO_PROXY keeps the cluster's own traffic from it",
	Level:    check.Required,
	Requires: []string{"pod.to-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		s := chosen(env)
		if s.proxy == "" {
			return &check.NotApplicable{Lacks: "a forward proxy; name one with -egress-proxy http://host:port"}
		}
		var pages trip
		pages.schemes, pages.hint = []string{target.HTTP, target.HTTPS}, "http://host:port"
		targets, err := pages.targets(env)
		if err != nil {
			return err
		}
		return errors.Join(s.exempts(ctx, env), fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job { return s.jobs(near(from, targets)) },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				return s.judge(from, near(from, targets), answers)
			},
		}))
	},
})

// reach is the ID of the job that connects to the proxy.
const reach = "the proxy"

func (s settings) jobs(targets []target.Target) []job.Job {
	jobs := []job.Job{{ID: reach, Kind: job.Connect, Address: s.address()}}
	for _, to := range targets {
		jobs = append(jobs, s.page(to))
	}
	return jobs
}

func (s settings) judge(from probe.Pod, targets []target.Target, answers fleet.Answers) error {
	failed := func(observed string) error {
		return &check.Failure{
			Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
			Wanted: "answers through the proxy " + s.address() + " from " + names(targets), Observed: observed,
		}
	}
	proxy, _ := target.Parse(s.address())
	switch r := answers[reach]; {
	case r.OK:
	case unresolved(proxy, r):
		return &check.Inconclusive{Node: from.Node, Why: "the name of the proxy " + s.address() + " did not resolve: " + fleet.Says(r)}
	default:
		return failed("the network does not let the pod reach the proxy: " + fleet.Says(r))
	}
	var wrong []string
	for _, to := range targets {
		j := s.page(to)
		r := answers[j.ID]
		switch {
		case answered(r):
		case j.Proxy == "":
			wrong = append(wrong, j.ID+", which NO_PROXY exempts: "+fleet.Says(r))
		case r.Error == job.ProxyFailed:
			wrong = append(wrong, j.ID+": the proxy is reached and does not get there: "+fleet.Says(r))
		default:
			wrong = append(wrong, j.ID+" through the proxy: "+fleet.Says(r))
		}
	}
	if len(wrong) > 0 {
		return failed(strings.Join(wrong, "; "))
	}
	return nil
}

// exempts is whether NO_PROXY has the cluster's Services, by address and by
// name; nil where no NO_PROXY was named.
func (s settings) exempts(ctx context.Context, env *check.Env) error {
	if s.no == "" {
		return nil
	}
	hosts := []string{workloads.AppPod + "." + env.Namespace + ".svc"}
	for _, r := range slices.Concat(env.Cluster.ServiceCIDRs, env.Cluster.PodCIDRs) {
		if first := r.Masked().Addr().Next(); r.Contains(first) {
			hosts = append(hosts, first.String())
		}
	}
	hosts = slices.DeleteFunc(hosts, func(host string) bool {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
			host = "[" + host + "]"
		}
		return s.exempt("http://" + host)
	})
	if len(hosts) == 0 {
		return nil
	}
	return &check.Failure{
		Wanted:   "NO_PROXY to exempt the ranges of Services and pods, and .svc",
		Observed: "it sends " + strings.Join(hosts, ", ") + " to the proxy: " + s.no,
	}
}
