// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// The Service of the cluster's DNS has a ready endpoint of each address family
// that it has an address of. It is found by its usual name, by its label, or by
// the nameserver that pods are given. It is read from the API server; nothing is
// asked of it.
//
// What could fool it: a cluster whose pods ask a server that is no Service, as
// with a managed DNS of a cloud, needs none; then it does not apply. Ready is
// what the kubelet of the server's node last said.
//
// Turns red with: kubectl -n kube-system scale deployment coredns --replicas=0
var _ = check.Register(check.Check{
	ID:       "dns.endpoints-ready",
	Title:    "the Service of the cluster's DNS has ready endpoints",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		server, err := findNameserver(ctx, env)
		switch {
		case errors.Is(err, errNoNameserver):
			return noNameserver(ctx, env)
		case err != nil:
			return &check.Inconclusive{Why: "the Service of the cluster's DNS could not be read", Err: err}
		}
		var errs []error
		for _, addr := range server.addrs {
			sameFamily := func(r replica) bool { return !r.addr.IsValid() || r.addr.Is4() == addr.Is4() }
			if slices.ContainsFunc(server.ready, sameFamily) {
				continue
			}
			down := pods(server.unready)
			observed := fmt.Sprintf("%d that are not ready: %s", len(down), strings.Join(down, ", "))
			if len(down) == 0 {
				observed = "no endpoint at all"
				if down = labelled(ctx, env, server.ref); len(down) > 0 {
					observed += fmt.Sprintf("; pods with the label %s: %s", label, strings.Join(down, ", "))
				}
			}
			errs = append(errs, &check.Failure{
				Pods: down, Observed: observed,
				Wanted: fmt.Sprintf("a ready endpoint behind %s of Service %s", addr, server.ref),
			})
		}
		return errors.Join(errs...)
	},
})

// labelled are the pods in the Service's namespace that have the usual label of the
// cluster's DNS, whatever the Service selects.
func labelled(ctx context.Context, env *check.Env, service string) []string {
	namespace, _, _ := strings.Cut(service, "/")
	list, err := env.Cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return nil // they only help to say why
	}
	var found []string
	for _, pod := range list.Items {
		found = append(found, namespace+"/"+pod.Name)
	}
	return found
}

// noNameserver is the outcome where no Service is the cluster's DNS.
func noNameserver(ctx context.Context, env *check.Env) error {
	conf, err := anyConf(ctx, env)
	if err != nil {
		return err
	}
	ofServices := func(server string) bool {
		addr, err := netip.ParseAddr(server)
		return err == nil && slices.ContainsFunc(env.Cluster.ServiceCIDRs, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	if len(env.Cluster.ServiceCIDRs) == 0 || slices.ContainsFunc(conf.nameservers, ofServices) {
		return &check.Failure{
			Wanted:   "a Service over the cluster's DNS servers",
			Observed: errNoNameserver.Error() + "; pods have nameserver " + strings.Join(conf.nameservers, ", "),
		}
	}
	return &check.NotApplicable{Lacks: "a DNS Service in the cluster: pods ask " + strings.Join(conf.nameservers, ", ")}
}
