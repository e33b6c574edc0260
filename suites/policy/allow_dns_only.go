// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/probe"
)

// dnsPorts are those the cluster's DNS servers listen on: a policy is about the
// port of the pod and not of the Service (CoreDNS: 53; OpenShift: 5353).
var dnsPorts = []int32{53, 5353}

// A policy that allows egress to the ports of DNS only lets the pod resolve the
// name of a Service over UDP and TCP, and stops its connections to another pod.
//
// What could fool it: DNS servers that listen on another port.
//
// Turns red with: cilium-dbg config PolicyEnforcement=never (in the agent of a
// node, once policy.default-deny-egress has passed)
var _ = check.Register(check.Check{
	ID:       "policy.allow-dns-only",
	Title:    "a policy that allows egress to DNS only leaves names resolvable and stops the rest",
	Level:    check.Required,
	Requires: []string{"policy.default-deny-egress", "dns.service-name"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		return experiment{
			name: "dns-only", nodes: one,
			policy: func(*lab) networkingv1.NetworkPolicySpec {
				var ports []networkingv1.NetworkPolicyPort
				for _, port := range dnsPorts {
					for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
						ports = append(ports, networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: new(intstr.FromInt32(port))})
					}
				}
				return networkingv1.NetworkPolicySpec{
					PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
					Egress:      []networkingv1.NetworkPolicyEgressRule{{Ports: ports}},
				}
			},
			table: func(l *lab) []row {
				pod := l.pods[0]
				all := rows(pod, neighbour(env, pod.Node), pod.Node, false, job.TCP, job.UDP)
				for _, network := range []string{"udp", "tcp"} {
					all = append(all, row{
						from: pod, node: pod.Node, open: true, what: "DNS over " + network + " from " + pod.Namespace + "/" + pod.Name,
						job: job.Job{Kind: job.DNS, Name: workloads.AppPod, Network: network, Type: recordType(pod), Search: []string{job.ResolvConf}},
					})
				}
				return all
			},
		}.run(ctx, env)
	},
})

// recordType is that of the pod's first address, which is the Service's too.
func recordType(pod probe.Pod) string {
	if addr, err := netip.ParseAddr(pod.IPs[0]); err == nil && addr.Is6() {
		return "AAAA"
	}
	return "A"
}
