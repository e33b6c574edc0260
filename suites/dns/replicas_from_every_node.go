// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// share is how many replicas a pod asks at most; where there are more, pods ask
// others each, so that every one is asked by some.
const share = 8

// From a pod on every node each server behind the DNS Service is asked for the
// probes' Service, directly at its pod's address, over UDP and TCP: a node from
// which one of them is out of reach fails every second lookup or so.
//
// What could fool it: servers on nodes that failed a prerequisite are not asked.
// NetworkPolicies that let only the Service's clients in do not exist: to a
// policy, both are the same packets.
//
// Turns red with: iptables -I FORWARD -s <the node's podCIDR> -p udp --dport 53
// -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "dns.replicas-from-every-node",
	Title:    "every server of the cluster's DNS answers at its own address, from every node",
	Level:    check.Required,
	Requires: []string{"pod.other-node", "dns.endpoints-ready"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := findNameserver(ctx, env)
		if errors.Is(err, errNoNameserver) {
			return &check.NotApplicable{Lacks: "a Service over DNS servers in the cluster"}
		} else if err != nil {
			return &check.Inconclusive{Why: "the Service of the cluster's DNS could not be read", Err: err}
		}
		asked := slices.DeleteFunc(service.ready, func(r replica) bool { return !judged(env, r.node) || !r.addr.IsValid() })
		if len(asked) == 0 {
			return &check.Inconclusive{Why: "no server behind " + service.ref + " runs on a node that is judged"}
		}
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job {
				var jobs []job.Job
				for _, r := range theShare(env, from, asked) {
					jobs = append(jobs, server{r, service.ports}.queries()...)
				}
				return jobs
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var errs []error
				for _, r := range theShare(env, from, asked) {
					errs = append(errs, server{r, service.ports}.judge(from, answers))
				}
				return errors.Join(errs...)
			},
		})
	},
})

// theShare are the replicas that from asks, of the families it has.
func theShare(env *check.Env, from probe.Pod, all []replica) []replica {
	at := slices.IndexFunc(env.Nodes, func(n cluster.Node) bool { return n.Name == from.Node })
	var mine []replica
	for i := range min(share, len(all)) {
		if r := all[(max(at, 0)*share+i)%len(all)]; fleet.SameFamily(from, r.addr.String()) {
			mine = append(mine, r)
		}
	}
	return mine
}

// server is a replica with the names of the ports that DNS is on.
type server struct {
	replica
	names []string
}

// queries ask the server over each of its ports.
func (s server) queries() []job.Job {
	// The probes' Service has the families that the server's pod has.
	record := "A"
	if s.addr.Is6() {
		record = "AAAA"
	}
	var jobs []job.Job
	for _, p := range s.ports {
		if p.Port == nil || p.Name == nil || p.Protocol == nil || !slices.Contains(s.names, *p.Name) {
			continue
		}
		address, network := net.JoinHostPort(s.addr.String(), strconv.Itoa(int(*p.Port))), strings.ToLower(string(*p.Protocol))
		jobs = append(jobs, job.Job{
			ID: address + " over " + network, Kind: job.DNS, Address: address, Network: network,
			Name: workloads.AppPod, Type: record, Search: []string{job.ResolvConf}, Count: few,
		})
	}
	return jobs
}

// judge is the outcome of the pair of nodes. That the Service has no record of
// the family is an answer too.
func (s server) judge(from probe.Pod, answers fleet.Answers) error {
	var wrong []string
	for _, j := range s.queries() {
		if a := answers[j.ID]; !a.OK && a.Error != job.NoData {
			wrong = append(wrong, fmt.Sprintf("%s: %d of %d %s", j.ID, a.Sent-a.Received, a.Sent, fleet.Says(a)))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	f := &check.Failure{
		Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name, s.pod},
		Wanted: "DNS server " + s.pod + " to answer at " + s.addr.String(), Observed: strings.Join(wrong, "; "),
	}
	if s.node != from.Node {
		f.Peer = s.node
	}
	return f
}
