// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// hosts is the outcome where there are no probes on the nodes' own network, nil
// where there are.
func hosts(env *check.Env) error {
	switch {
	case len(env.HostPods) > 0:
		return nil
	case env.HostNamespace == "":
		return &check.NotApplicable{Lacks: "pods on the host network, which admission refuses"}
	}
	return &check.Inconclusive{Why: "no probe pod on the host network is ready"}
}

// bystanders are probes that are no backends themselves, where there are any:
// those on the nodes' own network.
func bystanders(env *check.Env) map[string]probe.Pod {
	if len(env.HostPods) > 0 {
		return env.HostPods
	}
	return env.Pods
}

// everywhere puts the question to the probe pods, and to the probes on the
// nodes' own network where they are allowed.
func everywhere(ctx context.Context, env *check.Env, q fleet.Question) error {
	q.Pods = env.Pods
	fromPods := fleet.Ask(ctx, env, q)
	if env.HostNamespace == "" {
		return fromPods
	}
	q.Pods = env.HostPods
	return errors.Join(fromPods, fleet.Ask(ctx, env, q))
}

// view is what the machine of the harness looks like to nodes that it reaches:
// by the node's address, the address that the node sees. It is empty where that
// machine reaches none of them or is in the cluster itself.
type view map[netip.Addr]string

// outside asks the probes on the nodes' own network who is calling. That they
// name themselves shows that the address leads to the node and not, from where
// the harness runs, to something else that has the same one.
func outside(ctx context.Context, env *check.Env) view {
	if env.Here == nil {
		return nil
	}
	var jobs []job.Job
	names := map[string]string{}
	for _, n := range env.Nodes {
		for _, ip := range env.HostPods[n.Name].IPs {
			jobs = append(jobs, job.Job{ID: ip, Kind: job.TCP, Address: net.JoinHostPort(ip, strconv.Itoa(job.HostPortTCP))})
			names[ip] = env.HostPods[n.Name].Name
		}
	}
	results, err := env.Here.Run(ctx, probe.Pod{}, jobs)
	if err != nil {
		return nil
	}
	seen := view{}
	for _, r := range results {
		if !r.OK || len(r.Peers) == 0 || r.Peers[0].Pod != names[r.ID] {
			continue
		}
		client, err := netip.ParseAddrPort(r.Peers[0].Client)
		if err != nil || inside(env.Cluster, client.Addr().Unmap()) {
			return nil
		}
		if at, err := netip.ParseAddr(r.ID); err == nil {
			seen[at] = client.Addr().Unmap().String()
		}
	}
	env.Record(check.Measurement{Name: "node addresses reached from outside the cluster", Value: float64(len(seen)), Unit: "count"})
	return seen
}

// inside tells whether the address is a node's or a pod's.
func inside(c *cluster.Cluster, addr netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(addr) }
	return slices.ContainsFunc(c.PodCIDRs, in) || slices.ContainsFunc(c.Nodes, func(n cluster.Node) bool {
		return slices.Contains(n.InternalIPs, addr) || slices.ContainsFunc(n.PodCIDRs, in)
	})
}
