// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"

	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
)

// From a pod on every node a name in the cluster's domain is looked up that no
// Service has. The answer must be NXDOMAIN: a search list goes on to its next
// domain only then, so a server that answers such names with an address, with a
// failure or not at all breaks every short name.
//
// What could fool it: nothing that is known; the name is new each time, so no
// cache has it.
//
// Turns red with: template IN A cluster.local { match ^nobody- answer
// "{{ .Name }} 5 IN A 192.0.2.1" fallthrough } in the Corefile
var _ = check.Register(check.Check{
	ID:       "dns.nxdomain",
	Title:    "a name that no Service has is answered with NXDOMAIN, from every node",
	Level:    check.Required,
	Requires: []string{"dns.fqdn"},
	Run: func(ctx context.Context, env *check.Env) error {
		domain, err := clusterDomain(ctx, env)
		if err != nil {
			return err
		}
		return inquiry{lookups: []lookup{{
			name: "nobody-" + rand.String(5) + "." + env.Namespace + ".svc." + domain + ".", kind: "A",
			wanted: "NXDOMAIN", right: func(r job.Result) bool { return r.Error == job.NXDomain },
		}}}.ask(ctx, env)
	},
})
