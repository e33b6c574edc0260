// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// A Service of type ExternalName is made that stands for the name of the
// probes' Service; from a pod on every node its short name is looked up. The
// answer must have the CNAME record and, behind it, the ClusterIP.
//
// What could fool it: a server that has not heard of the new Service yet; pods
// wait a moment before they ask, and each attempt makes another one.
//
// Turns red with: template IN A cluster.local { match ^external- rcode NXDOMAIN
// fallthrough } in the Corefile
var _ = check.Register(check.Check{
	ID:       "dns.external-name",
	Title:    "an ExternalName Service resolves to what it stands for, from every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := probeService(ctx, env)
		if err != nil {
			return err
		}
		domain, err := clusterDomain(ctx, env)
		if err != nil {
			return err
		}
		target := workloads.AppPod + "." + env.Namespace + ".svc." + domain
		alias := &corev1.Service{
			ObjectMeta: meta(env, "external"),
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: target},
		}
		if err := makeService(ctx, env, alias); err != nil {
			return err
		}
		lookups := of(alias.Name, service.Addrs)
		for i, l := range lookups {
			lookups[i].wanted = "CNAME " + target + " and " + l.wanted
			lookups[i].right = func(r job.Result) bool {
				return l.right(r) && slices.ContainsFunc(r.Answers, func(record string) bool { return strings.HasSuffix(record, " CNAME "+target+".") })
			}
		}
		return inquiry{lookups: lookups, after: known}.ask(ctx, env)
	},
})
