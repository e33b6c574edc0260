// SPDX-License-Identifier: Apache-2.0

// Package sandbox holds the checks of area sandbox: pods get their sandbox and
// address on every node, and give both back.
package sandbox

import (
	"context"
	"errors"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// A new pod, pinned to its node by affinity and placed by the scheduler, gets
// its sandbox, network included, on every node. It tolerates every taint:
// control planes, cordoned nodes and nodes that are not ready are judged too.
//
// The latency runs from the watch event in which the pod is bound to that in
// which the condition PodReadyToStartContainers is true, by the arrival of the
// events here: the API's own times have whole seconds, and no node's clock is
// in it. What could fool it: a watch that was interrupted (then nothing is
// recorded); a kubelet before 1.35, which reports the condition up to a second
// late; one that does not report it, where the pod's address or container is
// the sign, which comes later still, and the measurement's name says so.
//
// A wait ends early when the kubelet has reported for a while that the sandbox
// fails: its own tries are the convergence, one failure alone may be an agent
// that is just restarting. Images, volumes and the scheduler make it
// inconclusive: they are not the network.
//
// Turns red with: rm -rf /etc/cni/net.d (on a node)
var _ = check.Register(check.Check{
	ID:       "sandbox.starts-on-every-node",
	Title:    "a pod gets its sandbox on every node",
	Level:    check.Required,
	NoProbes: true,
	Waits:    true,
	Converge: config.DefaultTimeouts().Attempt,
	Run: func(ctx context.Context, env *check.Env) error {
		linux, unable := fleet.Able(env)
		ready, err := readiness(ctx, env)
		if err != nil {
			return err
		}
		errs := []error{unable}
		var nodes []string
		for _, n := range linux {
			if err := ready[n.Name].outcome(n.Name); err != nil {
				errs = append(errs, err)
				continue
			}
			nodes = append(nodes, n.Name)
		}
		batch, err := sandbox.OpenNeighbours(ctx, env, "starts")
		if err != nil {
			return &check.Inconclusive{Why: "the pods to be created could not be followed", Err: err}
		}
		batch.Create(ctx, nodes...)
		for _, s := range batch.Await(ctx, sandbox.Sandboxed) {
			recordStart(env, s)
			err := sandbox.Started(s)
			var failure *check.Failure
			if errors.As(err, &failure) {
				failure.Observed += ready[s.Node].note()
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	},
})
