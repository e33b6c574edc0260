// SPDX-License-Identifier: Apache-2.0

package service

import (
	"fmt"
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

// trial is one attempt at a Service.
type trial struct {
	service balance.Service
	nodes   []cluster.Node
}

// sockets are the ports to try.
var sockets = []struct {
	kind string
	port int
}{{job.TCP, workloads.ServicePortTCP}, {job.UDP, workloads.ServicePortUDP}}

func (t trial) jobs(probe.Pod) []job.Job {
	var jobs []job.Job
	for _, addr := range t.service.Addrs {
		for _, s := range sockets {
			jobs = append(jobs, t.service.Jobs(s.kind, addr, s.port)...)
		}
	}
	return jobs
}

// wanted are the backends that from is to meet behind addr.
func (t trial) wanted(from probe.Pod, addr netip.Addr) []balance.Backend {
	return slices.DeleteFunc(slices.Clone(t.service.Of(addr)), func(b balance.Backend) bool {
		judged := slices.ContainsFunc(t.nodes, func(n cluster.Node) bool { return n.Name == b.Node })
		return b.Pod == from.Name || !judged
	})
}

func (t trial) judge(from probe.Pod, answers fleet.Answers) error {
	var wrong []string
	judged := false
	for _, addr := range t.service.Addrs {
		wanted := t.wanted(from, addr)
		judged = judged || len(wanted) > 0
		for _, s := range sockets {
			m := balance.Meet(t.service.Jobs(s.kind, addr, s.port), answers)
			if problem := t.problem(m, addr, wanted); problem != "" {
				wrong = append(wrong, fmt.Sprintf("%s %s:%d: %s", s.kind, addr, s.port, problem))
			}
		}
	}
	switch {
	case !judged:
		return &check.NotApplicable{Lacks: "a backend other than the client itself"}
	case len(wrong) > 0:
		return &check.Failure{
			Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
			Wanted: "every connection to Service " + t.service.Ref + " answered, and each backend met", Observed: strings.Join(wrong, "; "),
		}
	}
	return nil
}

// problem is what is wrong with a meeting, empty when nothing is.
func (t trial) problem(m balance.Meeting, addr netip.Addr, wanted []balance.Backend) string {
	all := t.service.Of(addr)
	_, enough := balance.Tries(len(all))
	lost := m.Sent - m.Received
	switch unmet := m.Unmet(wanted); {
	case len(wanted) == 0:
		return ""
	case m.Received == 0:
		return fmt.Sprintf("none of %d answered: %s", m.Sent, m.Error)
	case enough && len(unmet) > 0:
		return strings.TrimSuffix(fmt.Sprintf("%d of %d answered, none by %s: %s", m.Received, m.Sent, strings.Join(unmet, ", "), m.Error), ": ")
	case lost > 0 && len(wanted) == len(all):
		return fmt.Sprintf("%d of %d not answered: %s", lost, m.Sent, m.Error)
	}
	return ""
}
