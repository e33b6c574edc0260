// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// few is how many lookups of each kind a pod makes where it is the answer that
// counts; each is balanced to a server anew.
const few = 2

// inquiry is what a check asks of a pod on every node. Servers that do not
// answer, names that do not exist, servers that fail and wrong answers are
// different faults and told apart.
type inquiry struct {
	lookups []lookup
	// times is how many of each are made at once, over UDP and over TCP; 0 is
	// few.
	times int
	// after is how long pods wait before they ask.
	after time.Duration
	// right is called with the answers of a pod when all are right; nil is
	// nothing to do.
	right func(from probe.Pod, asked []job.Job, answers fleet.Answers)
}

// ask asks, and judges each node by the answers its pod got. Where a server
// runs on a node that is not judged, queries that are lost are inconclusive: it
// may be the one that swallowed them.
func (i inquiry) ask(ctx context.Context, env *check.Env) error {
	times := i.times
	if times == 0 {
		times = few
	}
	var wanted []string
	for _, l := range i.lookups {
		wanted = append(wanted, l.name+" "+l.kind+" to be "+l.wanted)
	}
	wanted = slices.Compact(wanted)
	asked := jobs(i.lookups, times, i.after)
	servers := explain(ctx, env)
	return fleet.Ask(ctx, env, fleet.Question{
		Pods: env.Pods,
		Jobs: func(probe.Pod) []job.Job { return asked },
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			faults := misresolved(i.lookups, times, answers)
			if len(faults) == 0 {
				if i.right != nil {
					i.right(from, asked, answers)
				}
				return nil
			}
			return servers.blame(from, lost(onlyLost(faults)), strings.Join(wanted, ", "), words(faults))
		},
	})
}

// servers is what the API server knows of the cluster's DNS servers, to explain
// failures with.
type servers struct {
	pods []string
	// note goes before a failure that it explains; empty when it explains none.
	note string
	// cutOff is a sentence about a server on a node that is not judged, empty
	// when there is none.
	cutOff string
}

// explain learns what it can. What cannot be learnt is left empty.
func explain(ctx context.Context, env *check.Env) servers {
	n, err := findNameserver(ctx, env)
	switch {
	case errors.Is(err, errNoNameserver):
		return servers{note: errNoNameserver.Error() + "; "}
	case err != nil:
		return servers{}
	}
	s := servers{pods: pods(n.ready), cutOff: n.cutOff(env)}
	if len(n.ready) == 0 {
		s.note = "Service " + n.ref + " has no ready endpoint; "
	}
	return s
}

// lost tells that what went wrong is queries without an answer, and nothing
// else.
type lost bool

// blame is the outcome of the node whose pod got wrong answers.
func (s servers) blame(from probe.Pod, why lost, wanted, observed string) error {
	if why && s.cutOff != "" {
		return &check.Inconclusive{Node: from.Node, Why: observed + "; " + s.cutOff}
	}
	return &check.Failure{
		Node: from.Node, Pods: append([]string{from.Namespace + "/" + from.Name}, s.pods...),
		Wanted: wanted, Observed: s.note + observed,
	}
}
