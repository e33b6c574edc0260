// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// A policy that allows ingress to a range of TCP ports (endPort, stable since
// Kubernetes 1.25) lets in a connection to a port of the range, which is not its
// first and not its last, and stops one to the port below and a datagram to a
// UDP port whose number is in the range.
//
// What could fool it: as in policy.default-deny-ingress.
//
// Turns red with: cilium-dbg config PolicyEnforcement=never (in the agent of a
// node, once policy.default-deny-ingress has passed), or a CNI that knows no
// endPort
var _ = check.Register(check.Check{
	ID:       "policy.port-range",
	Title:    "a policy lets in a range of ports of one protocol, and no others",
	Level:    check.Required,
	Requires: []string{"policy.default-deny-ingress"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		return experiment{
			name: "port-range", nodes: one,
			policy: func(*lab) networkingv1.NetworkPolicySpec {
				spec := denyIngress
				spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{
					{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(firstOpen)), EndPort: new(int32(lastOpen))},
				}}}
				return spec
			},
			table: func(l *lab) []row {
				pod := l.pods[0]
				from := neighbour(env, pod.Node)
				return append(rows(from, pod, pod.Node, true, job.TCP), rows(from, pod, pod.Node, false, job.Connect, job.UDP)...)
			},
		}.run(ctx, env)
	},
})

// firstOpen to lastOpen has job.PortTCP and the number of job.PortUDP in it, and
// not job.PortHTTP.
const firstOpen, lastOpen = job.PortHTTP + 1, job.PortUDP + 8
