// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// sameTries is how many connections are to meet the same backend: of two, they
// do so by chance in one of 2048 times.
const sameTries = 12

// The connections that a client makes to a Service with sessionAffinity ClientIP
// are all answered by one backend, over TCP and over UDP, from every node. Each
// port has an affinity of its own.
//
// They are made one after another: the first decides, and of several at once
// there is no first. What could fool it: a Service with one backend, where it
// does not apply; connections that are lost say nothing of affinity, and are
// service.cluster-ip's claim.
//
// Turns red with: iptables-save | grep -v -- --rcheck | iptables-restore (on a
// node whose kube-proxy is stopped: pkill -STOP -x kube-proxy)
var _ = check.Register(check.Check{
	ID:       "service.session-affinity",
	Title:    "a Service with sessionAffinity ClientIP leads a client to one backend, from every node",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip", "service.from-host-network"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := read(ctx, env, workloads.Affine)
		if err != nil {
			return err
		}
		if len(service.Of(service.Addrs[0])) < 2 {
			return &check.NotApplicable{Lacks: "a second backend, with one every client meets the same"}
		}
		var jobs []job.Job
		for _, f := range onClusterIPs(env, service, echoes...).fronts(probe.Pod{}) {
			jobs = append(jobs, job.Job{ID: f.kind + " " + f.at.String(), Kind: f.kind, Address: f.at.String(), Count: sameTries})
		}
		return fleet.Ask(ctx, env, fleet.Question{
			Pods: bystanders(env),
			Jobs: func(probe.Pod) []job.Job { return jobs },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var wrong, mute []string
				for _, j := range jobs {
					m := balance.Meet([]job.Job{j}, answers)
					if len(m.Pods) > 1 {
						wrong = append(wrong, fmt.Sprintf("%s: %s", j.ID, strings.Join(slices.Sorted(maps.Keys(m.Pods)), ", ")))
					}
					if m.Received < 2 {
						mute = append(mute, fmt.Sprintf("%s: %d of %d answered: %s", j.ID, m.Received, m.Sent, m.Error))
					}
				}
				switch {
				case len(wrong) > 0:
					return &check.Failure{
						Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
						Wanted:   fmt.Sprintf("%d connections to Service %s answered by one backend", sameTries, service.Ref),
						Observed: strings.Join(wrong, "; "),
					}
				case len(mute) > 0:
					return &check.Inconclusive{Node: from.Node, Why: "too few connections to tell: " + strings.Join(mute, "; ")}
				}
				return nil
			},
		})
	},
})
