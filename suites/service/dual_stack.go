// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
)

// Where the API server takes Services that require both families, the probes'
// Service has an address of each, backends of each, and both addresses lead to
// every backend over TCP and UDP from every node.
//
// Whether it takes them is asked with a dry run, so nothing is created for it;
// the Service that is tried prefers dual stack, which is the same where there is
// one. What could fool it: as in service.cluster-ip.
//
// Turns red with: ip6tables -t raw -I PREROUTING -i cni0 -p tcp --dport 81 -j
// DROP (on a node of a dual-stack cluster)
var _ = check.Register(check.Check{
	ID:       "service.dual-stack",
	Title:    "both addresses of a dual-stack Service lead to its backends, from every node",
	Level:    check.Required,
	Requires: []string{"pod.other-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		_, err := env.Cluster.Client.CoreV1().Services(env.Namespace).Create(ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "dual-stack-"},
			Spec: corev1.ServiceSpec{
				IPFamilyPolicy: new(corev1.IPFamilyPolicyRequireDualStack),
				Selector:       map[string]string{workloads.ProbeLabel: workloads.AppPod},
				Ports:          []corev1.ServicePort{{Port: workloads.ServicePortTCP}},
			},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsInvalid(err) {
			return &check.NotApplicable{Lacks: "dual-stack Services"}
		}
		if err != nil {
			return &check.Inconclusive{Why: "the API server could not be asked whether it takes dual-stack Services", Err: err}
		}
		service, err := read(ctx, env, workloads.AppPod)
		if err != nil {
			return err
		}
		for _, family := range []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol} {
			if len(service.Addrs) < 2 || len(service.Backends[family]) == 0 {
				return &check.Failure{
					Wanted:   "Service " + service.Ref + " with an address and backends of both families",
					Observed: observedFamilies(service),
				}
			}
		}
		t := onClusterIPs(env, service, echoes...)
		return t.ask(ctx, env, t.pods(env))
	},
})

func observedFamilies(service balance.Service) string {
	return fmt.Sprintf("addresses %v, %d backends with an IPv4 address and %d with an IPv6 address",
		service.Addrs, len(service.Backends[corev1.IPv4Protocol]), len(service.Backends[corev1.IPv6Protocol]))
}
