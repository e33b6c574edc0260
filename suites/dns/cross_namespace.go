// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
)

// From a pod on every node "kubernetes.default" is looked up: a Service of
// another namespace, which every cluster has. That takes the second domain of
// the search list, after the first was answered with NXDOMAIN.
//
// What could fool it: an ndots of 1, for then the name is first asked for as it
// is, and a server outside may have an answer to it; that is a wrong answer.
//
// Turns red with: template IN A cluster.local { match ^kubernetes[.]default[.]svc
// rcode NXDOMAIN fallthrough } in the Corefile
var _ = check.Register(check.Check{
	ID:       "dns.cross-namespace-name",
	Title:    "a pod resolves a Service of another namespace by name.namespace, from every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := balance.Read(ctx, env.Cluster.Client, metav1.NamespaceDefault, "kubernetes")
		if err != nil {
			return &check.Inconclusive{Why: "the Service of the API server could not be read", Err: err}
		}
		return inquiry{lookups: of("kubernetes.default", service.Addrs)}.ask(ctx, env)
	},
})
