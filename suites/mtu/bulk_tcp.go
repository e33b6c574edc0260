// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// 1 MiB over TCP goes to the other end of each kind of path and comes back: to a
// pod on the same node and on others, a Service, the nodes, and the outside where
// there is one. A line there and back goes first: where that is lost the path is
// dead, whatever its MTU.
//
// A path that loses full segments stalls here after a healthy handshake, the
// black hole of RFC 2923. What could fool it: TCP survives a smaller MTU where
// the path reports it, or where the MSS is clamped; and segmentation offload
// passes segments larger than any link. That is why mtu.path measures packets.
//
// Turns red with: iptables -I FORWARD -p tcp -m length --length 1401:65535 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.bulk-tcp",
	Title:    "1 MiB over TCP reaches pods, Services, nodes and the outside, and comes back",
	Level:    check.Required,
	Requires: []string{"pod.same-node", "pod.other-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		neighbours, missing := sandbox.Neighbours(ctx, env)
		service, err := balance.Read(ctx, env.Cluster.Client, env.Namespace, workloads.AppPod)
		if err != nil {
			missing = errors.Join(missing, &check.Inconclusive{Why: "the probes' Service could not be read", Err: err})
		}
		pairs := fleet.Ring(env)
		ways := func(from probe.Pod) []path {
			return slices.Concat(sameNode(neighbours, from), otherNodes(env, pairs, from), toService(service, from), toHosts(env, pairs, from), toOutside(env, from))
		}
		return errors.Join(missing, fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job {
				var jobs []job.Job
				for _, p := range ways(from) {
					jobs = append(jobs, p.line(), p.bulk())
				}
				return jobs
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var errs []error
				for _, p := range ways(from) {
					errs = append(errs, p.transferred(env, from, answers))
				}
				return errors.Join(errs...)
			},
		}))
	},
})

func (p path) line() job.Job {
	return job.Job{ID: "line to " + p.ip, Kind: job.TCP, Address: net.JoinHostPort(p.ip, strconv.Itoa(p.tcp))}
}

func (p path) bulk() job.Job {
	return job.Job{ID: "1 MiB to " + p.ip, Kind: job.Bulk, Address: net.JoinHostPort(p.ip, strconv.Itoa(p.tcp))}
}

// transferred is the outcome of both.
func (p path) transferred(env *check.Env, from probe.Pod, answers fleet.Answers) error {
	line, bulk := answers[p.line().ID], answers[p.bulk().ID]
	if bulk.OK {
		return nil
	}
	// What answers says who it is before anything else. The two connections to a
	// Service may have had two backends, one of them on a node that is cut off.
	if reached := bulk; !line.OK || len(bulk.Peers) == 0 {
		if !line.OK {
			reached = line
		}
		return &check.Inconclusive{Node: from.Node, Why: fmt.Sprintf("TCP does not reach %s at %s at all: %s", p.place, p.ip, fleet.Says(reached))}
	}
	if bulk.Peers[0].Node != from.Node {
		p.peer = cmp.Or(p.peer, bulk.Peers[0].Node)
	}
	judged := func(node string) bool { return slices.Contains(fleet.Names(env.Nodes), node) }
	if p.kind == "Service" && p.peer != "" && !judged(p.peer) {
		return nil
	}
	return p.failure(from, fmt.Sprintf("1 MiB over TCP to %s at %s and back", p.place, p.ip), fleet.Says(bulk))
}
