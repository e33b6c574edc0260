// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// apiTries is how many requests each client makes, so that one of three API
// servers that is dead goes unnoticed by one client in 32.
const apiTries = 9

// The API server answers at the ClusterIP of the Service kubernetes in default,
// from a pod and from the network of every node: CNI agents, DNS and controllers
// find it there. Any answer over HTTPS counts, a refusal to serve strangers too.
//
// It leads to a node's address and not to a pod's, so it takes another way than
// all other Services. What could fool it: a proxy that speaks HTTPS there.
//
// Turns red with: iptables -t raw -I PREROUTING -i cni0 -d 10.96.0.1 -j DROP
// (on a node)
var _ = check.Register(check.Check{
	ID:       "service.kubernetes-service",
	Title:    "the API server answers at the ClusterIP of the Service kubernetes, from every node",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := balance.Read(ctx, env.Cluster.Client, metav1.NamespaceDefault, "kubernetes")
		if err != nil {
			return &check.Inconclusive{Why: "the Service kubernetes could not be read", Err: err}
		}
		var jobs []job.Job
		for _, addr := range service.Addrs {
			for _, p := range service.Ports {
				url := "https://" + netip.AddrPortFrom(addr, uint16(p.Port)).String() + "/livez"
				jobs = append(jobs, job.Job{ID: url, Kind: job.HTTP, Address: url, InsecureTLS: true, Count: apiTries})
			}
		}
		return everywhere(ctx, env, fleet.Question{
			Jobs: func(probe.Pod) []job.Job { return jobs },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var wrong []string
				for _, j := range jobs {
					if r := answers[j.ID]; !r.OK && r.Error != job.HTTPStatus {
						wrong = append(wrong, fmt.Sprintf("%s: %d of %d answered: %s", j.ID, r.Received, r.Sent, fleet.Says(r)))
					}
				}
				if len(wrong) == 0 {
					return nil
				}
				return &check.Failure{
					Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
					Wanted: "an answer of the API server", Observed: strings.Join(wrong, "; "),
				}
			},
		})
	},
})
