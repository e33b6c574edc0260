// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"fmt"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// A default deny of ingress cuts a TCP connection that was open before it, as
// soon as it stops new ones or a moment after.
//
// It is advisory: what becomes of connections that are open when a policy comes
// is implementation-defined by the API (NetworkPolicy, "Pod lifecycle"), and
// many CNIs let them live on. Who relies on a policy to stop an intruder ought
// to know. The client sends a line again and again on its one connection; what
// could fool it: one that was not open yet when the policy came, which makes it
// inconclusive.
//
// Turns red with: iptables -I FORWARD -m conntrack --ctstate NEW -d <pod> -j DROP (on every node, for each pod that a default deny comes to select: what a CNI does that accepts ESTABLISHED first)
var _ = check.Register(check.Check{
	ID:       "policy.established-connections",
	Title:    "a default deny of ingress cuts connections that are open already",
	Level:    check.Advisory,
	Requires: []string{"policy.default-deny-ingress"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		if err := enforces(env); err != nil {
			return err
		}
		nodes := one(env, "established")
		if len(nodes) == 0 {
			return &check.Inconclusive{Why: "no probe pod is ready to talk to the pod that a policy would select"}
		}
		l, err := open(ctx, env, "established", nodes...)
		if err != nil {
			return err
		}
		pod := l.pods[0]
		from := neighbour(env, pod.Node)
		table := rows(from, pod, pod.Node, false, job.TCP)[:1]
		if err := before(ctx, env, table); err != nil {
			return err
		}
		held := make(chan probe.Done, 1)
		limits := env.Timeouts
		go func() {
			hold := job.Job{ID: "held", Kind: job.Held, Address: table[0].job.Address, Within: limits.Programmed / 2, Timeout: limits.ProbeJob}
			held <- probe.RunAll(ctx, env.Probe, []probe.Task{{Pod: from, Jobs: []job.Job{hold}}})[0]
		}()
		// Asked after it, and so answered after it, or nearly.
		if err := before(ctx, env, table); err != nil {
			return err
		}
		if err := l.apply(ctx, denyIngress); err != nil {
			return err
		}
		if err := after(ctx, env, table); err != nil {
			return err
		}
		done := <-held
		switch {
		case done.Err != nil:
			return &check.Inconclusive{Node: from.Node, Why: "the probe could not hold a connection", Err: done.Err}
		case done.Results[0].Bytes == 0:
			return &check.Inconclusive{Node: pod.Node, Why: "the connection was not open yet when the policy came: " + fleet.Says(done.Results[0])}
		case done.Results[0].OK:
			return &check.Failure{
				Node: pod.Node, Pods: []string{from.Namespace + "/" + from.Name, pod.Namespace + "/" + pod.Name},
				Wanted:   "the open connection cut by the default deny that stops new ones",
				Observed: fmt.Sprintf("it lived on for %s", limits.Programmed/2),
			}
		}
		return nil
	},
})
