// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// Each port of a Service leads to its own port of the pods. Behind each is
// another server: HTTP, an echo over TCP, an echo over UDP; one that is asked in
// another's language does not answer.
//
// What could fool it: as in service.cluster-ip.
//
// Turns red with: iptables -t nat -I PREROUTING -p tcp --dport 80 -j REDIRECT
// --to-ports 9 (on a node)
var _ = check.Register(check.Check{
	ID:       "service.multi-port",
	Title:    "each port of a Service leads to its own port of the backends",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := read(ctx, env, workloads.MultiPort)
		if err != nil {
			return err
		}
		t := onClusterIPs(env, service,
			socket{job.HTTP, workloads.ServicePortHTTP}, socket{job.TCP, workloads.ServicePortTCP}, socket{job.UDP, workloads.ServicePortUDP})
		return t.ask(ctx, env, t.pods(env))
	},
})
