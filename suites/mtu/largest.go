// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// largest are the jobs from one pod to another, in each family both have.
func largest(from, to probe.Pod) []job.Job {
	var jobs []job.Job
	for _, ip := range to.IPs {
		if fleet.SameFamily(from, ip) {
			jobs = append(jobs,
				job.Job{ID: "packet to " + ip, Kind: job.PathMTU, Address: at(ip, job.PortUDP)},
				job.Job{ID: "1 MiB to and from " + ip, Kind: job.Bulk, Address: at(ip, job.PortTCP)})
		}
	}
	return jobs
}

func at(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }

// fit is the outcome of these jobs.
func fit(env *check.Env, from, to probe.Pod, answers fleet.Answers) error {
	var wrong []string
	for _, j := range largest(from, to) {
		r := answers[j.ID]
		switch {
		case !r.OK:
			wrong = append(wrong, j.ID+": "+fleet.Says(r))
		case j.Kind == job.PathMTU:
			env.Record(check.Measurement{Name: "path MTU", Node: from.Node, Peer: to.Node, Value: float64(r.PathMTU), Unit: "bytes"})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &check.Failure{
		Node: from.Node, Peer: to.Node, Pods: []string{from.Namespace + "/" + from.Name, to.Namespace + "/" + to.Name},
		Wanted: "a full-size packet delivered, and 1 MiB over TCP each way", Observed: strings.Join(wrong, "; "),
	}
}

// mtuOf is the MTU of the interface with the pod's address, 0 when none has it.
func mtuOf(links []job.Link, p probe.Pod) int {
	for _, l := range links {
		for _, cidr := range l.Addresses {
			if ip, _, _ := strings.Cut(cidr, "/"); slices.Contains(p.IPs, ip) {
				return l.MTU
			}
		}
	}
	return 0
}
