// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"context"
	"errors"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// A second pod is started beside the probe pod of every node, where other checks
// of the run find it (sandbox.Neighbours), and the two exchange a line over TCP
// and a datagram over UDP by IP.
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
	Attempt:  config.DefaultTimeouts().Attempt,
	Run: func(ctx context.Context, env *check.Env) error {
		neighbours, missing := sandbox.Neighbours(ctx, env)
		asked := fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job {
				if to, ok := neighbours[from.Node]; ok {
					return reach(from, to)
				}
				return nil
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				return reached(env, from, neighbours[from.Node], answers)
			},
		})
		return errors.Join(missing, asked)
	},
})
