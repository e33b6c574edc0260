// SPDX-License-Identifier: Apache-2.0

// Package mtu holds the checks of area mtu: packets as large as pods believe
// they may send do arrive.
package mtu

import (
	"context"
	"errors"
	"fmt"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// From a pod on every node to those on its two neighbours in the order of names:
// a UDP datagram that makes an IP packet exactly as large as the pod's route
// allows arrives unfragmented; one that is a byte larger than the pod's interface
// is refused by the pod's own kernel; and 1 MiB over TCP goes there and back.
// Small packets arrive, that is pod.other-node's claim and required: so a dead
// path is never blamed on the MTU.
//
// The refused one proves the measure: where it would pass, DF is not honoured
// and the first proves nothing. A datagram is one packet, so segmentation offload
// cannot pass for a large MTU; TCP could, hence both.
//
// Turns red with: iptables -I FORWARD -m length --length 1401:65535 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "mtu.path",
	Title:    "packets as large as a pod's MTU reach a pod on another node, and larger ones are refused",
	Level:    check.Required,
	Requires: []string{"pod.other-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		pairs := fleet.Ring(env)
		if err := pairs.Alone(env); err != nil {
			return err
		}
		links := map[string]int{}
		fits := fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job {
				jobs := []job.Job{{ID: "links", Kind: job.Links}}
				for _, to := range pairs.Of(from.Node, env.Pods) {
					jobs = append(jobs, largest(from, to)...)
				}
				return jobs
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var errs []error
				links[from.Node] = mtuOf(answers["links"].Links, from)
				env.Record(check.Measurement{Name: "pod MTU", Node: from.Node, Value: float64(links[from.Node]), Unit: "bytes"})
				for _, to := range pairs.Of(from.Node, env.Pods) {
					errs = append(errs, fit(env, from, to, answers))
				}
				return errors.Join(errs...)
			},
		})
		refused := fleet.Ask(ctx, env, fleet.Question{
			Pods: env.Pods,
			Jobs: func(from probe.Pod) []job.Job {
				to := pairs.Of(from.Node, env.Pods)
				if links[from.Node] == 0 || len(to) == 0 {
					return nil
				}
				return []job.Job{{ID: "over", Kind: job.PathMTU, Address: at(to[0].IPs[0], job.PortUDP), Size: links[from.Node] + 1}}
			},
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				r, observed := answers["over"], "it was delivered"
				switch {
				case r.Error == job.MessageSize:
					return nil
				case !r.OK:
					observed = fleet.Says(r)
				}
				return &check.Failure{
					Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
					Wanted:   fmt.Sprintf("a packet of %d bytes with DF refused as too long, the interface's MTU being %d", links[from.Node]+1, links[from.Node]),
					Observed: observed,
				}
			},
		})
		return errors.Join(fits, refused)
	},
})
