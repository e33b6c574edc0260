// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// A deleted pod leaves neither sandbox nor network behind on its node. One pod
// per node is started, looked at, deleted, and looked for again: its sandbox and
// processes, the host's end of its veth pair, routes to its address, and its
// address in the CNI's own books. Something of it must be seen while it runs, or
// that nothing is seen later would prove nothing.
//
// The look comes right after the API object is gone, and may: the kubelet lets
// go of the object only once the sandbox is stopped, and the runtime has called
// the plugin's DEL by then. A sandbox that is stopped but not yet collected is no
// leftover. The interface is recognised by its index, which the kernel does not
// give out again soon; its name may be another pod's by then. The neighbour
// entry of a bridge stays until the kernel ages it, and is no leftover either.
// Where the CNI's books cannot be read, the rest is judged.
//
// Turns red with: a host-local in /opt/cni/bin that does nothing on DEL
var _ = check.Register(check.Check{
	ID:       "sandbox.deletion-cleans-up",
	Title:    "a deleted pod leaves no sandbox, interface or address behind",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		if env.Cluster.Access == nil {
			return &check.NotApplicable{Lacks: "node access, without which what stays on a node cannot be seen"}
		}
		linux, unable := fleet.Able(env)
		batch, err := sandbox.Open(ctx, env, "deleted")
		if err != nil {
			return &check.Inconclusive{Why: "the pods to be created could not be followed", Err: err}
		}
		batch.Create(ctx, fleet.Names(linux)...)
		started := batch.Await(ctx, sandbox.Serving)
		for _, s := range started {
			recordStart(env, s)
		}
		pods, missing := serving(started)
		traces, unseen := traced(ctx, env, pods)
		before := openBooks(ctx, env, pods)
		if err := batch.Delete(ctx); err != nil {
			return errors.Join(missing, &check.Inconclusive{Why: "the pods could not be deleted", Err: err})
		}
		errs := []error{unable, missing, unseen}
		for _, s := range batch.Await(ctx, sandbox.Gone) {
			recordRemoval(env, s)
			if err := sandbox.Ended(s); err != nil {
				errs = append(errs, err)
				traces = slices.DeleteFunc(traces, func(t trace) bool { return t.pod.Name == s.Name })
			}
		}
		return errors.Join(append(errs, left(ctx, env, traces), before.kept(ctx, env))...)
	},
})
