// SPDX-License-Identifier: Apache-2.0

// Package pod holds the checks of area pod: packets between pods, and between
// pods and nodes, by address. Services and names are areas of their own.
package pod

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// reach are the jobs that show whether from reaches to: an echo over TCP and one
// over UDP at each address of a family that both have.
func reach(from, to probe.Pod) []job.Job {
	ports := map[string]int{job.TCP: job.PortTCP, job.UDP: job.PortUDP}
	if to.HostNetwork {
		ports = map[string]int{job.TCP: job.HostPortTCP, job.UDP: job.HostPortUDP}
	}
	var jobs []job.Job
	for _, ip := range to.IPs {
		if !fleet.SameFamily(from, ip) {
			continue
		}
		for _, kind := range []string{job.TCP, job.UDP} {
			address := net.JoinHostPort(ip, strconv.Itoa(ports[kind]))
			jobs = append(jobs, job.Job{ID: kind + " " + address, Kind: kind, Address: address})
		}
	}
	return jobs
}

// reached is the outcome of these jobs: nil when each was answered, and by to.
// The time of each that was is recorded; reports take a pair without for one
// that was not reached over that protocol.
func reached(env *check.Env, from, to probe.Pod, answers fleet.Answers) error {
	var wrong []string
	jobs := reach(from, to)
	for _, j := range jobs {
		r := answers[j.ID]
		switch {
		case !r.OK:
			wrong = append(wrong, fmt.Sprintf("%s: %s", j.ID, fleet.Says(r)))
		case len(r.Peers) > 0 && r.Peers[0].Pod != "" && r.Peers[0].Pod != to.Name:
			wrong = append(wrong, fmt.Sprintf("%s: answered by pod %s on %s", j.ID, r.Peers[0].Pod, r.Peers[0].Node))
		case len(r.Took) > 0:
			env.Record(check.Measurement{Name: echo(j), Node: from.Node, Peer: to.Node, Value: float64(r.Took[0].Microseconds()) / 1000, Unit: "ms"})
		}
	}
	switch {
	case len(jobs) == 0:
		return &check.Inconclusive{Node: from.Node, Why: fmt.Sprintf("%s and %s have no address family in common", from.Name, to.Name)}
	case len(wrong) == 0:
		return nil
	}
	f := &check.Failure{
		Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name, to.Namespace + "/" + to.Name},
		Wanted:   fmt.Sprintf("%s to answer %s over TCP and UDP", place(to), place(from)),
		Observed: strings.Join(wrong, "; "),
	}
	if to.Node != from.Node {
		f.Peer = to.Node
	}
	return f
}

// place is where a probe is, for people.
func place(p probe.Pod) string {
	if p.HostNetwork {
		return "node " + p.Node
	}
	return "a pod on " + p.Node
}

// echo names the measurement of a job, e.g. "UDP echo over IPv6".
func echo(j job.Job) string {
	name := strings.ToUpper(j.Kind) + " echo"
	if strings.HasPrefix(j.Address, "[") {
		name += " over IPv6"
	}
	return name
}
