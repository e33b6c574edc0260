// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// From a pod on every node the ClusterIPs of the probes' Service are looked up
// in reverse: each must be answered with the Service's name.
//
// What could fool it: nothing that is known.
//
// Turns red with: in-addr.arpa and ip6.arpa taken out of the kubernetes plugin's
// line in the Corefile
var _ = check.Register(check.Check{
	ID:       "dns.ptr",
	Title:    "a Service's ClusterIP resolves to its name, from every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := probeService(ctx, env)
		if err != nil {
			return err
		}
		var lookups []lookup
		for _, addr := range service.Addrs {
			name, err := dns.ReverseAddr(addr.String())
			if err != nil {
				return fmt.Errorf("reverse %s: %w", addr, err)
			}
			lookups = append(lookups, lookup{
				name: name, kind: "PTR", wanted: workloads.AppPod + "." + env.Namespace + ".svc and the cluster's domain",
				right: func(r job.Result) bool {
					return r.OK && slices.ContainsFunc(r.Answers, func(record string) bool {
						fields := strings.Fields(record)
						return inNamespace(env, fields[len(fields)-1])
					})
				},
			})
		}
		return inquiry{lookups: lookups}.ask(ctx, env)
	},
})
