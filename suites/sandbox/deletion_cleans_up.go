// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// A deleted pod leaves neither sandbox nor network behind on its node. One pod
// per node is started, looked at, deleted, and looked for again: its sandbox and
// processes, the host's end of its veth pair, routes to its address, and its
// address in the CNI's own books.
//
// The look comes right after the API object is gone, and may: the kubelet lets
// go of the object only once the sandbox is stopped, and the runtime has called
// the plugin's DEL by then. A sandbox that is stopped but not yet collected is no
// leftover. The interface is recognised by its index, which the kernel does not
// give out again soon; its name may be another pod's by then. The neighbour
// entry of a bridge stays until the kernel ages it, and is no leftover either.
// Where the CNI's books cannot be read, the rest is judged.
var _ = check.Register(check.Check{
	ID:       "sandbox.deletion-cleans-up",
	Title:    "a deleted pod leaves no sandbox, interface or address behind",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
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
		pods, missing := serving(batch.Await(ctx, sandbox.Serving))
		links := map[string]string{}
		looked := fleet.Ask(ctx, on(env, pods), fleet.Question{
			Pods: probes(pods),
			Jobs: func(probe.Pod) []job.Job {
				return []job.Job{{ID: "iflink", Kind: job.File, Address: "/sys/class/net/eth0/iflink"}}
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				if r := answers["iflink"]; !r.OK {
					return &check.Inconclusive{Node: from.Node, Why: "the pod's interface could not be read: " + fleet.Says(r)}
				}
				links[from.Node] = strings.TrimSpace(answers["iflink"].Text)
				return nil
			},
		})
		before := openBooks(ctx, env, pods)
		if err := batch.Delete(ctx); err != nil {
			return errors.Join(missing, &check.Inconclusive{Why: "the pods could not be deleted", Err: err})
		}
		left := leftovers(ctx, env, batch.Await(ctx, sandbox.Gone), links)
		return errors.Join(unable, missing, looked, left, before.kept(ctx, env))
	},
})

// nodesAtOnce is how many nodes are looked at at the same time.
const nodesAtOnce = 32

// look prints one line for each thing that is left of the pod with the UID $1,
// the interface with the index $2 and the addresses after that. Every runtime's
// processes carry the pod's UID in their cgroup, with - or _ in it.
const look = `uid=$1 index=$2; shift 2
if command -v crictl >/dev/null 2>&1; then
  crictl pods --quiet --state ready --label "io.kubernetes.pod.uid=$uid" 2>/dev/null | sed 's/^/sandbox /'
fi
grep -lE "pod($uid|$(echo "$uid" | tr - _))" /proc/[0-9]*/cgroup 2>/dev/null | sed 's/^/process /'
ip -o link show type veth | sed -n "s/^$index: \([^:@]*\).*/interface \1/p"
for a in "$@"; do ip -o route show table all exact "$a" | sed 's/^/route /'; done
exit 0`

// leftovers is the outcome of the pods' nodes after the pods were deleted; links
// are the indexes of the interfaces, by node.
func leftovers(ctx context.Context, env *check.Env, pods []sandbox.State, links map[string]string) error {
	errs := make([]error, len(pods))
	var group errgroup.Group
	group.SetLimit(nodesAtOnce)
	for i, s := range pods {
		if errs[i] = sandbox.Ended(s); errs[i] != nil || links[s.Node] == "" {
			continue
		}
		group.Go(func() error {
			errs[i] = leftover(ctx, env, s, links[s.Node])
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(errs...)
}

func leftover(ctx context.Context, env *check.Env, s sandbox.State, link string) error {
	argv := []string{"sh", "-c", look, "sh", string(s.Pod.UID), link}
	for _, ip := range s.Pod.Status.PodIPs {
		argv = append(argv, ip.IP)
	}
	out, err := env.Cluster.Access.Run(ctx, s.Node, cluster.Command{Argv: argv})
	if err != nil {
		return &check.Inconclusive{Node: s.Node, Why: "the node could not be looked at", Err: err}
	}
	left := strings.Join(strings.FieldsFunc(string(out.Stdout), func(r rune) bool { return r == '\n' }), ", ")
	if left == "" {
		return nil
	}
	return &check.Failure{Node: s.Node, Pods: []string{s.Ref()}, Wanted: "nothing left of the deleted pod", Observed: "left on the node: " + left}
}
