// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// A Service whose targetPorts are names of the pods' ports leads to them, from a
// pod on every node, for three ports of different names and protocols: the
// endpoints controller looks the numbers up in each pod.
//
// What could fool it: as in service.cluster-ip.
//
// Turns red with: iptables -t raw -I PREROUTING -i cni0 -p tcp --dport 80 -j
// DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "service.named-target-port",
	Title:    "a Service with targetPorts by name leads to the ports of those names",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := read(ctx, env, workloads.NamedPorts)
		if err != nil {
			return err
		}
		t := onClusterIPs(env, service, append([]socket{{job.HTTP, workloads.ServicePortHTTP}}, echoes...)...)
		return t.ask(ctx, env, t.pods(env))
	},
})
