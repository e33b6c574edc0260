// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/probe"
)

// The node ports of a Service with externalTrafficPolicy Local answer over TCP
// and UDP on every node that has an endpoint, to pods, to nodes and to the
// outside. To the outside it is the node's own endpoint that answers, it sees
// the client's address and not a node's, and a node without an endpoint does not
// answer at all; a Service of which one pod is the only endpoint shows that.
//
// What the outside sees is judged only where the machine of the harness reaches
// the nodes and is not in the cluster: pods and nodes may be led to any endpoint
// (KEP-1669). That a client's address is kept is measured against the address by
// which the node's own network sees it. What could fool it: a load balancer or a
// proxy between that machine and the nodes.
//
// Turns red with: iptables -t nat -I POSTROUTING -p udp --dport 8082 -j
// MASQUERADE (on a node)
var _ = check.Register(check.Check{
	ID:       "service.nodeport-local",
	Title:    "a NodePort with externalTrafficPolicy Local answers on nodes with an endpoint only and keeps the client's address",
	Level:    check.Required,
	Requires: []string{"service.nodeport-cluster"},
	Waits:    true,
	Attempt:  2 * config.DefaultTimeouts().Attempt, // it follows changes of endpoints
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := read(ctx, env, workloads.NodePortLocal)
		if err != nil {
			return err
		}
		t := onNodePorts(env, service)
		every := t.fronts
		t.fronts = func(from probe.Pod) []front {
			return slices.DeleteFunc(every(from), func(f front) bool {
				// A pod's own node may lead it to itself, which is pod.hairpin's claim.
				return len(on(f.node, service.Of(f.at.Addr()))) == 0 || f.node == from.Node && !from.HostNetwork
			})
		}
		inside := t.fromInside(ctx, env)
		seen := outside(ctx, env)
		t.also = func(f front, m balance.Meeting) string {
			if problem := elsewhere(f, m, service); problem != "" {
				return problem
			}
			for _, client := range slices.Sorted(maps.Keys(m.Clients)) {
				if client != seen[f.at.Addr()] {
					return fmt.Sprintf("the endpoint saw the client as %s, the node sees it as %s", client, seen[f.at.Addr()])
				}
			}
			return ""
		}
		return errors.Join(inside, t.fromOutside(ctx, env, seen), oneEndpoint(ctx, env, seen))
	},
})

// oneEndpoint makes one pod the only endpoint of a Service and tries the node
// ports of all nodes from outside: its own node's must answer, and then no
// other's may.
func oneEndpoint(ctx context.Context, env *check.Env, seen view) error {
	service, err := read(ctx, env, workloads.NodePortOne)
	if err != nil {
		return err
	}
	var with, without []front
	var chosen probe.Pod
	for _, n := range env.Nodes {
		for _, addr := range n.InternalIPs {
			pod, ok := env.Pods[n.Name]
			switch _, reached := seen[addr]; {
			case !reached || !ok:
			case chosen.Name == "" || chosen.Node == n.Name:
				chosen, with = pod, append(with, fronts(service, n.Name, addr)...)
			default:
				without = append(without, fronts(service, n.Name, addr)...)
			}
		}
	}
	if len(with) == 0 || len(without) == 0 {
		return nil
	}
	if err := attach(ctx, env, workloads.NodePortOne, chosen); err != nil {
		return err
	}
	limits := env.Timeouts
	if err := tried(ctx, env, with, job.Job{Until: job.Answered, Within: limits.Programmed}, func(f front, r job.Result) error {
		if r.OK {
			return nil
		}
		return &check.Failure{Node: f.node, Pods: []string{chosen.Namespace + "/" + chosen.Name},
			Wanted: fmt.Sprintf("%s %s answered: %s on this node is the Service's endpoint", f.kind, f.at, chosen.Name), Observed: said(r)}
	}); err != nil {
		return err
	}
	// The node that does answer did so in far less.
	return tried(ctx, env, without, job.Job{Count: 2, Timeout: limits.ProbeJob / 4}, func(f front, r job.Result) error {
		if r.Received == 0 {
			return nil
		}
		return &check.Failure{Node: f.node, Peer: chosen.Node, Pods: []string{chosen.Namespace + "/" + chosen.Name},
			Wanted: fmt.Sprintf("no answer from %s %s: the Service's only endpoint is on %s", f.kind, f.at, chosen.Node), Observed: said(r)}
	})
}

// tried does the job at each of the fronts from outside the cluster.
func tried(ctx context.Context, env *check.Env, all []front, like job.Job, judge func(front, job.Result) error) error {
	var jobs []job.Job
	for _, f := range all {
		j := like
		j.ID, j.Kind, j.Address = f.kind+" "+f.at.String(), f.kind, f.at.String()
		jobs = append(jobs, j)
	}
	results, err := env.Here.Run(ctx, probe.Pod{}, jobs)
	if err != nil {
		return &check.Inconclusive{Why: "the node ports could not be tried from outside the cluster", Err: err}
	}
	var errs []error
	for i, r := range results {
		errs = append(errs, judge(all[i], r))
	}
	return errors.Join(errs...)
}
