// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"net/netip"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// most is how many endpoints a headless Service may have for its name to be
// looked up from every node: beyond it the answers would grow with the square of
// the nodes, and only the first nodes ask.
const most = 100

// From a pod on every node the headless Service over the probes is looked up:
// the answer must have the address of every ready pod, of each family.
//
// What could fool it: pods that come or go in the same moment; then the next
// attempt agrees. A long answer is cut short over UDP and asked for again over
// TCP, as a C library does. Beyond a hundred pods the nodes that ask are the
// first twenty.
//
// Turns red with: template IN A cluster.local { match ^probe-headless[.] answer
// "{{ .Name }} 5 IN A 192.0.2.1" fallthrough } in the Corefile
var _ = check.Register(check.Check{
	ID:       "dns.headless",
	Title:    "a headless Service resolves to the address of each of its pods, from every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Run: func(ctx context.Context, env *check.Env) error {
		ready, _, err := endpoints(ctx, env, env.Namespace, workloads.Headless)
		if err != nil {
			return &check.Inconclusive{Why: "the endpoints of the probes' headless Service could not be read", Err: err}
		}
		var addrs []netip.Addr
		for _, r := range ready {
			if r.addr.IsValid() {
				addrs = append(addrs, r.addr)
			}
		}
		if len(addrs) == 0 {
			return &check.Inconclusive{Why: "the probes' headless Service has no ready endpoint"}
		}
		asking := *env
		if len(addrs) > most {
			asking.Nodes = env.Nodes[:min(len(env.Nodes), 20)]
		}
		return inquiry{lookups: of(workloads.Headless, addrs)}.ask(ctx, &asking)
	},
})
