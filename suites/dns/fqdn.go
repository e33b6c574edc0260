// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// From a pod on every node the fully qualified name of the probes' Service, with
// the dot at its end, is looked up: no search list takes part, so that where
// short names fail and this holds, the pods' resolv.conf is at fault and not the
// servers.
//
// What could fool it: the cluster's domain is taken from a pod's search list;
// where that does not tell it, nothing is asked.
//
// Turns red with: clusterDNS: [10.96.0.99] in /var/lib/kubelet/config.yaml of a
// node, its kubelet restarted before the probes are made
var _ = check.Register(check.Check{
	ID:       "dns.fqdn",
	Title:    "a pod resolves a Service by its fully qualified name, from every node",
	Level:    check.Required,
	Requires: []string{"service.cluster-ip", "dns.endpoints-ready"},
	Run: func(ctx context.Context, env *check.Env) error {
		service, err := probeService(ctx, env)
		if err != nil {
			return err
		}
		domain, err := clusterDomain(ctx, env)
		if err != nil {
			return err
		}
		name := workloads.AppPod + "." + env.Namespace + ".svc." + domain + "."
		return inquiry{lookups: of(name, service.Addrs)}.ask(ctx, env)
	},
})
