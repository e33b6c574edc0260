// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// attach makes a pod the only endpoint of a Service that selects none, with each
// of its addresses, until the attempt is over or detach is called.
func attach(ctx context.Context, env *check.Env, service string, pod probe.Pod) error {
	env.Cleanup("endpoints of "+service, func(ctx context.Context) error { return detach(ctx, env, service) })
	for _, ip := range pod.IPs {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			continue
		}
		family := discoveryv1.AddressTypeIPv6
		if addr.Is4() {
			family = discoveryv1.AddressTypeIPv4
		}
		_, err = env.Cluster.Client.DiscoveryV1().EndpointSlices(env.Namespace).Create(ctx, &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				GenerateName: service + "-",
				Labels: map[string]string{
					discoveryv1.LabelServiceName: service, discoveryv1.LabelManagedBy: workloads.ManagedBy,
					workloads.RunLabel: env.RunID, workloads.ManagedByLabel: workloads.ManagedBy,
				},
			},
			AddressType: family,
			Endpoints: []discoveryv1.Endpoint{{
				Addresses: []string{ip}, NodeName: new(pod.Node), Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
			}},
			Ports: []discoveryv1.EndpointPort{
				{Name: new("tcp"), Port: new(int32(job.PortTCP)), Protocol: new(corev1.ProtocolTCP)},
				{Name: new("udp"), Port: new(int32(job.PortUDP)), Protocol: new(corev1.ProtocolUDP)},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			return &check.Inconclusive{Why: "no endpoint could be given to the Service " + service, Err: err}
		}
	}
	return nil
}

// detach leaves the Service without endpoints.
func detach(ctx context.Context, env *check.Env, service string) error {
	err := env.Cluster.Client.DiscoveryV1().EndpointSlices(env.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		return fmt.Errorf("delete the EndpointSlices of %s/%s: %w", env.Namespace, service, err)
	}
	return nil
}

// said puts what came of a job into words: who answered, or the error.
func said(r job.Result) string {
	if r.Error != "" {
		return fleet.Says(r)
	}
	if len(r.Peers) == 0 {
		return "it answered"
	}
	return fmt.Sprintf("answered by %s on %s", r.Peers[0].Pod, r.Peers[0].Node)
}
