// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// path is one way for packets from a pod: to the echo at ip.
type path struct {
	// kind is that of the measurement, place the other end for people.
	kind, place string
	// peer is the node of the other end and pod the pod there; empty when there
	// is none.
	peer, pod string
	ip        string
	tcp, udp  int
	// tries is how many packets go each way; 0 is one.
	tries int
}

// ladder are sizes that paths are found to carry when they do not carry what
// they ought to: the minimum of IPv6, and what tunnels in tunnels leave.
var ladder = []int{1280, 1350, 1370, 1400, 1420, 1430, 1440, 1450, 1460, 1480}

func (p path) job(what string) job.Job {
	return job.Job{ID: what + " to " + p.ip, Kind: job.PathMTU, Address: net.JoinHostPort(p.ip, strconv.Itoa(p.udp)), Count: p.tries}
}

// The jobs of a path.
func (p path) small() job.Job { j := p.job("small packet"); j.Kind = job.UDP; return j }
func (p path) full() job.Job  { return p.job("full packet") }

func (p path) over() job.Job {
	j := p.job("larger packet")
	j.Beyond, j.Count = 1, 1
	return j
}

func (p path) rung(size int) job.Job {
	j := p.job(fmt.Sprintf("%d bytes", size))
	j.Size, j.Count = size, 1
	return j
}

// others are those that go beside the full packet.
func (p path) others() []job.Job {
	jobs := []job.Job{p.small(), p.over()}
	for _, size := range ladder {
		jobs = append(jobs, p.rung(size))
	}
	return jobs
}

// measure asks the probe of every node for the paths from it.
func measure(ctx context.Context, env *check.Env, from func(probe.Pod) []path) error {
	return fleet.Ask(ctx, env, fleet.Question{
		Pods: env.Pods,
		Jobs: func(pod probe.Pod) []job.Job {
			var jobs []job.Job
			for _, p := range from(pod) {
				full := p.full()
				if !routed(env.Cluster.CNI) {
					full.Size = job.LinkMTU
				}
				jobs = append(append(jobs, full), p.others()...)
			}
			if len(jobs) == 0 {
				return nil
			}
			return append(jobs, job.Job{ID: "links", Kind: job.Links})
		},
		Judge: func(pod probe.Pod, answers fleet.Answers) error {
			var errs []error
			for _, p := range from(pod) {
				errs = append(errs, p.fits(env, pod, answers), p.refuses(pod, answers))
			}
			return errors.Join(errs...)
		},
	})
}

// fits is the outcome of the small and the full packets.
func (p path) fits(env *check.Env, from probe.Pod, answers fleet.Answers) error {
	small, full := answers[p.small().ID], answers[p.full().ID]
	// What the kernel believes may be older than the path it is now.
	fitted := full.PathMTU
	if link := deviceOf(answers["links"].Links, from.IPs).mtu; full.OK && link > 0 && !routed(env.Cluster.CNI) {
		fitted = link
	}
	switch {
	case small.Received == 0:
		return &check.Inconclusive{Node: from.Node, Why: fmt.Sprintf("small packets do not reach %s at %s either: %s", p.place, p.ip, fleet.Says(small))}
	case full.OK, full.Error == job.MessageSize && p.is6() && full.PathMTU > 0 && p.carried(answers) > 0:
		// A router of IPv6 that says what fits has done its part (RFC 8201);
		// dual-stack pods have one MTU for both families, and IPv6 needs more of it.
		env.Record(check.Measurement{Name: "path MTU to " + p.kind + family(p.is6()), Node: from.Node, Peer: p.peer, Value: float64(fitted), Unit: "bytes"})
		return nil
	case p.tries > 1 && (small.Received < small.Sent || full.PathMTU > 0 && p.carried(answers) >= full.PathMTU):
		// Some of several backends is out of reach for packets of any size, or
		// one of this size did reach another.
		return &check.Inconclusive{Node: from.Node, Why: fmt.Sprintf("packets to %s at %s get lost whatever their size: %d of %d small ones, %d of %d full ones",
			p.place, p.ip, small.Sent-small.Received, small.Sent, full.Sent-full.Received, full.Sent)}
	case full.Received > 0 && len(env.Nodes) < len(env.Cluster.Nodes):
		return nil // what was lost may have gone to a node that is not judged
	}
	observed := fmt.Sprintf("%d of %d lost", full.Sent-full.Received, full.Sent)
	if largest := p.carried(answers); largest > 0 {
		observed += fmt.Sprintf(", one of %d bytes arrived", largest)
		env.Record(check.Measurement{Name: "path MTU to " + p.kind + family(p.is6()), Node: from.Node, Peer: p.peer, Value: float64(largest), Unit: "bytes"})
	}
	return p.failure(from, fmt.Sprintf("a packet as large as the pod's MTU delivered to %s at %s", p.place, p.ip), observed+": "+fleet.Says(full))
}

// carried is the largest size of the ladder that arrived, 0 when none did.
func (p path) carried(answers fleet.Answers) int {
	largest := 0
	for _, size := range ladder {
		if answers[p.rung(size).ID].OK {
			largest = size
		}
	}
	return largest
}

// refuses is the outcome of the packet that is too large.
func (p path) refuses(from probe.Pod, answers fleet.Answers) error {
	over, observed := answers[p.over().ID], "it was delivered"
	switch {
	case over.Error == job.MessageSize || answers[p.small().ID].Received == 0:
		return nil
	case !over.OK:
		observed = fleet.Says(over)
	}
	return p.failure(from, fmt.Sprintf("a packet to %s at %s that is one byte larger than the interface's MTU refused as too long", p.place, p.ip), observed)
}

func (p path) failure(from probe.Pod, wanted, observed string) error {
	f := &check.Failure{Node: from.Node, Peer: p.peer, Pods: []string{from.Namespace + "/" + from.Name}, Wanted: wanted, Observed: observed}
	if p.pod != "" {
		f.Pods = append(f.Pods, p.pod)
	}
	return f
}

func (p path) is6() bool {
	addr, err := netip.ParseAddr(p.ip)
	return err == nil && addr.Is6()
}

// family is what the name of a measurement ends with.
func family(six bool) string {
	if six {
		return " over IPv6"
	}
	return ""
}

// toPod are the paths to a probe, one for each family that both have.
func toPod(kind string, from, to probe.Pod) []path {
	p := path{kind: kind, place: "a pod on " + to.Node, pod: to.Namespace + "/" + to.Name, tcp: job.PortTCP, udp: job.PortUDP}
	if to.HostNetwork {
		p.place, p.tcp, p.udp = "node "+to.Node, job.HostPortTCP, job.HostPortUDP
	}
	if to.Node != from.Node {
		p.peer = to.Node
	}
	var paths []path
	for _, ip := range to.IPs {
		if fleet.SameFamily(from, ip) {
			p.ip = ip
			paths = append(paths, p)
		}
	}
	return paths
}
