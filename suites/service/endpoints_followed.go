// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// A probe pod that becomes the only endpoint of a Service answers at the
// Service's ClusterIP on every node, and no more when it is its endpoint no
// longer. How long each node takes is recorded.
//
// Every node's probe asks again and again, and says when the answer is another
// one, so nobody polls the API server. The Service selects nothing and its
// EndpointSlices are written here, so that the endpoints controller is not in
// the time: it runs from before the API server is told until a node's news is
// here. What could fool it: a proxy that takes longer than
// is allowed to write down the Services of a huge cluster.
//
// Turns red with: pkill -STOP -x kube-proxy (on a node)
var _ = check.Register(check.Check{
	ID:       "service.endpoints-followed",
	Title:    "an endpoint that is added or removed is followed on every node",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip", "service.from-host-network"},
	Waits:    true,
	Converge: config.DefaultTimeouts().Attempt,
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := read(ctx, env, workloads.Followed)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(env.Nodes, func(n cluster.Node) bool { return env.Pods[n.Name].Name != "" })
		if i < 0 {
			return &check.Inconclusive{Why: "no probe pod is ready that could be made an endpoint"}
		}
		endpoint := env.Pods[env.Nodes[i].Name]

		begun := time.Now()
		if err := attach(ctx, env, workloads.Followed, endpoint); err != nil {
			return err
		}
		if err := followed(ctx, env, change{service, endpoint, job.Answered, begun}); err != nil {
			return err
		}
		begun = time.Now()
		if err := detach(ctx, env, workloads.Followed); err != nil {
			return &check.Inconclusive{Why: "the endpoint could not be removed", Err: err}
		}
		return followed(ctx, env, change{service, endpoint, job.Unanswered, begun})
	},
})

// change is an endpoint that was added or removed at begun.
type change struct {
	service  balance.Service
	endpoint probe.Pod
	until    string
	begun    time.Time
}

// followed has every node's probe ask until the answer is what it is to be.
func followed(ctx context.Context, env *check.Env, c change) error {
	news := &stopwatch{Runner: env.Probe, at: map[string]time.Time{}}
	timed := *env
	timed.Probe = news
	within := env.Timeouts.Programmed
	var jobs []job.Job
	for _, addr := range c.service.Addrs {
		if fleet.SameFamily(c.endpoint, addr.String()) {
			at := netip.AddrPortFrom(addr, workloads.ServicePortTCP).String()
			jobs = append(jobs, job.Job{ID: at, Kind: job.TCP, Address: at, Until: c.until, Within: within, Timeout: within / 8})
		}
	}
	what := map[string]string{job.Answered: "endpoint added", job.Unanswered: "endpoint removed"}[c.until]
	return fleet.Ask(ctx, &timed, fleet.Question{
		Pods: bystanders(env),
		Jobs: func(probe.Pod) []job.Job { return jobs },
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			var wrong []string
			for _, j := range jobs {
				if r := answers[j.ID]; !r.OK {
					wrong = append(wrong, fmt.Sprintf("%s: after %d tries: %s", j.ID, r.Sent, said(r)))
				}
			}
			if len(wrong) == 0 {
				env.Record(check.Measurement{Name: what + ", followed", Node: from.Node, Value: float64(news.at[from.Node].Sub(c.begun).Microseconds()) / 1000, Unit: "ms"})
				return nil
			}
			return &check.Failure{
				Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name, c.endpoint.Namespace + "/" + c.endpoint.Name},
				Wanted:   fmt.Sprintf("Service %s to be %s within %s: %s, %s", c.service.Ref, c.until, within, what, c.endpoint.Name),
				Observed: strings.Join(wrong, "; "),
			}
		},
	})
}

// stopwatch notes when the answer of each node's probe came.
type stopwatch struct {
	probe.Runner
	mu sync.Mutex
	at map[string]time.Time
}

// Run makes stopwatch a probe.Runner.
func (s *stopwatch) Run(ctx context.Context, pod probe.Pod, jobs []job.Job) ([]job.Result, error) {
	results, err := s.Runner.Run(ctx, pod, jobs)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[pod.Node] = time.Now()
	return results, err
}
