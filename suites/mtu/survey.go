// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// device is an interface with its MTU; the zero value is none.
type device struct {
	name string
	mtu  int
}

// site are the devices of one node, those below the pods for IPv4 and for IPv6.
type site struct {
	pod              device
	tunnel, underlay [2]device
}

// survey reads the MTUs of the nodes' devices from the probes on the pod and on
// the host network, which see them without node access. A node that could not
// be read is not in the map.
func survey(ctx context.Context, env *check.Env, e encapsulation) (map[string]site, error) {
	sites := map[string]site{}
	links := []job.Job{{ID: "links", Kind: job.Links}}
	pairs := fleet.Ring(env)
	onPods := fleet.Ask(ctx, env, fleet.Question{
		Pods: env.Pods,
		Jobs: func(from probe.Pod) []job.Job {
			peers := pairs.Of(from.Node, env.Pods)
			if !routed(env.Cluster.CNI) || len(peers) == 0 {
				return links
			}
			address := net.JoinHostPort(peers[0].IPs[0], strconv.Itoa(job.PortUDP))
			return append(slices.Clip(links), job.Job{ID: "route", Kind: job.PathMTU, Address: address, Size: ladder[0]})
		},
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			pod := deviceOf(answers["links"].Links, from.IPs)
			if pod.mtu == 0 {
				return &check.Inconclusive{Node: from.Node, Why: "no interface of its probe pod has the pod's address"}
			}
			if route := answers["route"].PathMTU; route > 0 {
				pod = device{"the route", route}
			}
			sites[from.Node] = site{pod: pod}
			return nil
		},
	})
	onHosts := fleet.Ask(ctx, env, fleet.Question{
		Pods: env.HostPods,
		Jobs: func(probe.Pod) []job.Job { return links },
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			s, ok := sites[from.Node]
			if !ok {
				return nil // told above
			}
			all := answers["links"].Links
			for six := range s.tunnel {
				s.tunnel[six] = named(all, e.devices[six])
				s.underlay[six] = deviceOf(all, addresses(env, from.Node, six == 1))
			}
			sites[from.Node] = s
			return nil
		},
	})
	return sites, errors.Join(onPods, onHosts)
}

// deviceOf is the interface with one of the addresses.
func deviceOf(links []job.Link, ips []string) device {
	for _, l := range links {
		for _, cidr := range l.Addresses {
			if ip, _, _ := strings.Cut(cidr, "/"); slices.Contains(ips, ip) {
				return device{l.Name, l.MTU}
			}
		}
	}
	return device{}
}

// named is the interface that is up and whose name begins so.
func named(links []job.Link, prefix string) device {
	for _, l := range links {
		if prefix != "" && l.Up && strings.HasPrefix(l.Name, prefix) {
			return device{l.Name, l.MTU}
		}
	}
	return device{}
}

// addresses are the node's InternalIPs of one family.
func addresses(env *check.Env, node string, six bool) []string {
	var ips []string
	for _, n := range env.Cluster.Nodes {
		for _, a := range n.InternalIPs {
			if n.Name == node && a.Is6() == six {
				ips = append(ips, a.String())
			}
		}
	}
	return ips
}
