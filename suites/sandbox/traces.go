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

// look prints one line for each thing that there is of the pod with the UID $1,
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

// trace is what a pod is recognised by on its node.
type trace struct {
	pod  sandbox.State
	link string // the index of the host's end of its veth pair
	seen string // what look prints
	err  error
}

// nodesAtOnce is how many nodes are looked at at the same time.
const nodesAtOnce = 32

// traced looks for the running pods on their nodes. One that cannot be seen
// there is inconclusive: that it is not seen later would prove nothing.
func traced(ctx context.Context, env *check.Env, pods []sandbox.State) ([]trace, error) {
	links, err := linksOf(ctx, env, pods)
	errs := []error{err}
	var traces []trace
	for _, s := range pods {
		if links[s.Node] != "" {
			traces = append(traces, trace{pod: s, link: links[s.Node]})
		}
	}
	var visible []trace
	for _, t := range lookedFor(ctx, env, traces) {
		if t.err == nil && t.seen != "" {
			visible = append(visible, t)
			continue
		}
		errs = append(errs, &check.Inconclusive{Node: t.pod.Node, Why: "nothing of the running pod is seen on its node", Err: t.err})
	}
	return visible, errors.Join(errs...)
}

// left is the outcome of the traces after the pods were deleted.
func left(ctx context.Context, env *check.Env, traces []trace) error {
	var errs []error
	for _, t := range lookedFor(ctx, env, traces) {
		switch {
		case t.err != nil:
			errs = append(errs, &check.Inconclusive{Node: t.pod.Node, Why: "the node could not be looked at", Err: t.err})
		case t.seen != "":
			errs = append(errs, &check.Failure{Node: t.pod.Node, Pods: []string{t.pod.Ref()}, Wanted: "nothing left of the deleted pod", Observed: "left on the node: " + t.seen})
		}
	}
	return errors.Join(errs...)
}

// lookedFor are the traces with what is seen of them now.
func lookedFor(ctx context.Context, env *check.Env, traces []trace) []trace {
	found := make([]trace, len(traces))
	var group errgroup.Group
	group.SetLimit(nodesAtOnce)
	for i, t := range traces {
		group.Go(func() error {
			argv := append([]string{"sh", "-c", look, "sh", string(t.pod.Pod.UID), t.link}, t.pod.Probe().IPs...)
			out, err := env.Cluster.Access.Run(ctx, t.pod.Node, cluster.Command{Argv: argv})
			t.seen, t.err = strings.ReplaceAll(strings.TrimSpace(string(out.Stdout)), "\n", ", "), err
			found[i] = t
			return nil
		})
	}
	_ = group.Wait()
	return found
}

// linksOf asks the pods, one per node, for the index of the other end of their
// interface, and returns it by node.
func linksOf(ctx context.Context, env *check.Env, pods []sandbox.State) (map[string]string, error) {
	running := map[string]probe.Pod{}
	for _, s := range pods {
		running[s.Node] = s.Probe()
	}
	narrowed := *env
	narrowed.Nodes = nil
	for _, n := range env.Nodes {
		if _, ok := running[n.Name]; ok {
			narrowed.Nodes = append(narrowed.Nodes, n)
		}
	}
	links := map[string]string{}
	err := fleet.Ask(ctx, &narrowed, fleet.Question{
		Pods: running,
		Jobs: func(probe.Pod) []job.Job {
			return []job.Job{{ID: "iflink", Kind: job.File, Address: "/sys/class/net/eth0/iflink"}}
		},
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			r := answers["iflink"]
			if !r.OK {
				return &check.Inconclusive{Node: from.Node, Why: "the pod's interface could not be read: " + fleet.Says(r)}
			}
			links[from.Node] = strings.TrimSpace(r.Text)
			return nil
		},
	})
	return links, err
}
