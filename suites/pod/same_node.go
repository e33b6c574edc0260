// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"context"
	"errors"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// A second pod is started beside the probe pod of every node, and the two
// exchange a line over TCP and a datagram over UDP by IP.
//
// It needs no route and no tunnel: red here and green in pod.other-node is the
// node's own bridge or its rules, such as bridged packets that iptables drops.
//
// Turns red with: iptables -I FORWARD -i cni0 -o cni0 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "pod.same-node",
	Title:    "a pod reaches a pod on its own node by IP over TCP and UDP",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		nodes, _ := fleet.Able(env) // the others are told of by Ask
		batch, err := sandbox.Open(ctx, env, "neighbour")
		if err != nil {
			return &check.Inconclusive{Why: "the pods to be created could not be followed", Err: err}
		}
		batch.Create(ctx, fleet.Names(nodes)...)
		neighbours := map[string]probe.Pod{}
		var errs []error
		for _, s := range batch.Await(ctx, sandbox.Serving) {
			if sandbox.Serving(s) {
				neighbours[s.Node] = s.Probe()
				continue
			}
			errs = append(errs, &check.Inconclusive{Node: s.Node, Why: "the second pod did not start", Err: sandbox.Started(s)})
		}
		asked := fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job {
				if to, ok := neighbours[from.Node]; ok {
					return reach(from, to)
				}
				return nil
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				return reached(from, neighbours[from.Node], answers)
			},
		})
		return errors.Join(append(errs, asked)...)
	},
})
