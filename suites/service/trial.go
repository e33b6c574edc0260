// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// socket is a port of a Service and how to talk to it.
type socket struct {
	kind string
	port int
}

// echoes are the sockets that every Service over the probe pods has.
var echoes = []socket{{job.TCP, workloads.ServicePortTCP}, {job.UDP, workloads.ServicePortUDP}}

// front is an address at which a Service is to answer.
type front struct {
	kind string
	at   netip.AddrPort
	// node is whose address it is, empty for the Service's own.
	node string
}

// trial is one attempt at a Service.
type trial struct {
	service balance.Service
	// nodes are those to judge.
	nodes []cluster.Node
	// fronts are those that a client is to try.
	fronts func(from probe.Pod) []front
	// tries is how many connections a client makes to each front; 0 is as many
	// as it takes to meet each backend.
	tries int
	// also says what else is wrong with those that answered, empty for nothing;
	// it may be nil.
	also func(f front, m balance.Meeting) string
}

// read is the run's Service of that name.
func read(ctx context.Context, env *check.Env, name string) (balance.Service, error) {
	service, err := balance.Read(ctx, env.Cluster.Client, env.Namespace, name)
	if err != nil {
		return service, &check.Inconclusive{Why: "the Service " + name + " could not be read", Err: err}
	}
	return service, nil
}

// onClusterIPs tries the sockets of a Service at its ClusterIPs.
func onClusterIPs(env *check.Env, service balance.Service, sockets ...socket) trial {
	var all []front
	for _, addr := range service.Addrs {
		for _, s := range sockets {
			all = append(all, front{kind: s.kind, at: netip.AddrPortFrom(addr, uint16(s.port))})
		}
	}
	return trial{service: service, nodes: env.Nodes, fronts: func(probe.Pod) []front { return all }}
}

// ask has the clients try.
func (t trial) ask(ctx context.Context, env *check.Env, clients map[string]probe.Pod) error {
	return fleet.Ask(ctx, env, fleet.Question{Pods: clients, Jobs: t.jobs, Judge: t.judge})
}

// pods are the probe pods, but for one that could reach none but itself the
// probe on its node's own network.
func (t trial) pods(env *check.Env) map[string]probe.Pod {
	clients := maps.Clone(env.Pods)
	for node, host := range env.HostPods {
		if pod, ok := clients[node]; ok && len(t.wanted(pod, t.service.Addrs[0])) == 0 {
			clients[node] = host
		}
	}
	return clients
}

func (t trial) jobs(from probe.Pod) []job.Job {
	var jobs []job.Job
	for _, f := range t.fronts(from) {
		jobs = append(jobs, t.spread(f)...)
	}
	return jobs
}

func (t trial) spread(f front) []job.Job {
	tries := t.tries
	if tries == 0 {
		tries, _ = balance.Tries(len(t.service.Of(f.at.Addr())))
	}
	return balance.Spread(f.kind, f.at.String(), tries)
}

// wanted are the backends that from is to meet behind addr.
func (t trial) wanted(from probe.Pod, addr netip.Addr) []balance.Backend {
	judged := make(map[string]bool, len(t.nodes))
	for _, n := range t.nodes {
		judged[n.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(t.service.Of(addr)), func(b balance.Backend) bool {
		return b.Pod == from.Name || !judged[b.Node]
	})
}

// judge makes one failure for each node whose address, and one for all of the
// Service's own that did not answer as they are to.
func (t trial) judge(from probe.Pod, answers fleet.Answers) error {
	wrong := map[string][]string{}
	judged := false
	for _, f := range t.fronts(from) {
		wanted := t.wanted(from, f.at.Addr())
		judged = judged || len(wanted) > 0
		m := balance.Meet(t.spread(f), answers)
		problem := t.problem(m, f, wanted)
		if problem == "" && t.also != nil {
			problem = t.also(f, m)
		}
		if problem != "" {
			wrong[f.node] = append(wrong[f.node], fmt.Sprintf("%s %s: %s", f.kind, f.at, problem))
		}
	}
	if !judged {
		return &check.NotApplicable{Lacks: "a backend other than the client itself"}
	}
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(wrong)) {
		errs = append(errs, t.failure(from, node, strings.Join(wrong[node], "; ")))
	}
	return errors.Join(errs...)
}

// failure is one of from with the addresses of a node. A client without a name
// is outside the cluster.
func (t trial) failure(from probe.Pod, node, observed string) error {
	f := &check.Failure{Node: from.Node, Wanted: "every connection to Service " + t.service.Ref + " answered", Observed: observed}
	if t.tries == 0 {
		f.Wanted += ", and each backend met"
	}
	if from.Name == "" {
		f.Node, f.Wanted = node, f.Wanted+" from outside the cluster"
		return f
	}
	f.Pods = []string{from.Namespace + "/" + from.Name}
	if node != from.Node {
		f.Peer = node
	}
	return f
}

// problem is what is wrong with a meeting, empty when nothing is.
func (t trial) problem(m balance.Meeting, f front, wanted []balance.Backend) string {
	all := t.service.Of(f.at.Addr())
	_, enough := balance.Tries(len(all))
	lost := m.Sent - m.Received
	switch unmet := m.Unmet(wanted); {
	case len(wanted) == 0:
		return ""
	case m.Received == 0:
		return fmt.Sprintf("none of %d answered: %s", m.Sent, m.Error)
	case t.tries == 0 && enough && len(unmet) > 0:
		return strings.TrimSuffix(fmt.Sprintf("%d of %d answered, none by %s: %s", m.Received, m.Sent, strings.Join(unmet, ", "), m.Error), ": ")
	case lost > 0 && len(wanted) == len(all):
		return fmt.Sprintf("%d of %d not answered: %s", lost, m.Sent, m.Error)
	}
	return ""
}
