// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// nodeTries is how many connections a client makes to each node port: together
// the clients of a node's ports meet every backend there.
const nodeTries = 6

// onNodePorts tries a Service at the InternalIPs of the nodes that the client is
// paired with and of its own.
func onNodePorts(env *check.Env, service balance.Service) trial {
	pairs := fleet.Mesh(env)
	return trial{service: service, nodes: env.Nodes, tries: nodeTries, fronts: func(from probe.Pod) []front {
		var all []front
		for _, name := range append(slices.Clone(pairs[from.Node]), from.Node) {
			for _, addr := range nodeAddrs(env, name) {
				if fleet.SameFamily(from, addr.String()) {
					all = append(all, fronts(service, name, addr)...)
				}
			}
		}
		return all
	}}
}

// fronts are the node ports of a Service at an address of a node, none where the
// Service has no address of that family.
func fronts(service balance.Service, node string, addr netip.Addr) []front {
	if !slices.ContainsFunc(service.Addrs, func(a netip.Addr) bool { return a.Is4() == addr.Is4() }) {
		return nil
	}
	return []front{
		{kind: job.TCP, at: netip.AddrPortFrom(addr, uint16(service.NodePort("tcp"))), node: node},
		{kind: job.UDP, at: netip.AddrPortFrom(addr, uint16(service.NodePort("udp"))), node: node},
	}
}

// nodeAddrs are the InternalIPs of the node.
func nodeAddrs(env *check.Env, name string) []netip.Addr {
	i := slices.IndexFunc(env.Cluster.Nodes, func(n cluster.Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return env.Cluster.Nodes[i].InternalIPs
}

// fromInside has the probe pods try, and the probes on the nodes' own network
// where they are allowed.
func (t trial) fromInside(ctx context.Context, env *check.Env) error {
	fromPods := t.ask(ctx, env, t.pods(env))
	if env.HostNamespace == "" {
		return fromPods
	}
	return errors.Join(fromPods, t.ask(ctx, env, env.HostPods))
}

// fromOutside tries every node that the machine of the harness reaches.
func (t trial) fromOutside(ctx context.Context, env *check.Env, seen view) error {
	if len(seen) == 0 {
		return nil
	}
	t.fronts = func(probe.Pod) []front {
		var all []front
		for _, n := range env.Nodes {
			for _, addr := range n.InternalIPs {
				if _, ok := seen[addr]; ok {
					all = append(all, fronts(t.service, n.Name, addr)...)
				}
			}
		}
		return all
	}
	results, err := env.Here.Run(ctx, probe.Pod{}, t.jobs(probe.Pod{}))
	if err != nil {
		return &check.Inconclusive{Why: "the node ports could not be tried from outside the cluster", Err: err}
	}
	answers := fleet.Answers{}
	for _, r := range results {
		answers[r.ID] = r
	}
	return t.judge(probe.Pod{}, answers)
}

// on are the names of those backends that are on the node.
func on(node string, backends []balance.Backend) []string {
	var names []string
	for _, b := range backends {
		if b.Node == node {
			names = append(names, b.Pod)
		}
	}
	return names
}

// elsewhere is the problem that a backend on another node than the front's
// answered, empty where none did.
func elsewhere(f front, m balance.Meeting, service balance.Service) string {
	own := on(f.node, service.Of(f.at.Addr()))
	for _, pod := range slices.Sorted(maps.Keys(m.Pods)) {
		if !slices.Contains(own, pod) {
			return fmt.Sprintf("answered by %s, which is not on %s", pod, f.node)
		}
	}
	return ""
}
