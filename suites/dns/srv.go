// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// From a pod on every node the SRV records of two named ports of the probes'
// Service are looked up, one of TCP and one of UDP: each must name the port's
// number and the Service.
//
// What could fool it: nothing that is known.
//
// Turns red with: template IN SRV cluster.local { match ^_(http|udp)[.]_ rcode
// NXDOMAIN fallthrough } in the Corefile
var _ = check.Register(check.Check{
	ID:       "dns.srv",
	Title:    "a named port of a Service has an SRV record with its number, from every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Run: func(ctx context.Context, env *check.Env) error {
		return inquiry{lookups: []lookup{
			port(env, "_http._tcp", workloads.ServicePortHTTP),
			port(env, "_udp._udp", workloads.ServicePortUDP),
		}}.ask(ctx, env)
	},
})

// port is the lookup of a named port. An SRV record ends in priority, weight,
// port and target (RFC 2782).
func port(env *check.Env, name string, number int) lookup {
	return lookup{
		name: name + "." + workloads.AppPod, kind: "SRV", wanted: fmt.Sprintf("port %d of %s", number, workloads.AppPod),
		right: func(r job.Result) bool {
			return r.OK && slices.ContainsFunc(r.Answers, func(record string) bool {
				fields := strings.Fields(record)
				n := len(fields)
				return n > 5 && fields[n-5] == "SRV" && fields[n-2] == fmt.Sprint(number) && inNamespace(env, fields[n-1])
			})
		},
	}
}
