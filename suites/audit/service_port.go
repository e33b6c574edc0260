// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/cniproof/cniproof/framework/check"
)

// Each targetPort of a Service is one that a container of its pods has. A name
// must be among the declared ports, or the Service gets no endpoint for it. A
// number need not be declared; it counts as missing only where every container
// of every pod declares ports and it is in none of them, nor in their probes.
//
// What could fool it: an application that listens on a port beside those that it
// declares.
//
// Turns red with: kubectl run web --image=<any> --port=8080 && kubectl expose pod web --port=80 --target-port=9090
var _ = check.Register(check.Check{
	ID:       "audit.service-target-port",
	Title:    "each targetPort of every Service is one that a container of its pods has",
	Level:    check.Advisory,
	NoProbes: true,
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		services, err := backings(ctx, env)
		if err != nil {
			return err
		}
		wrong := faults{wanted: "each targetPort to be a port of the Service's pods"}
		for _, b := range services {
			for i, p := range b.service.Spec.Ports {
				if b.pods == 0 || b.ports[i].had {
					continue
				}
				wrong.add("Service "+b.ref, "", fault{
					observed: fmt.Sprintf("no container of its %d pods has targetPort %s/%s, they have %s", b.pods, word(p), protocol(p.Protocol), some(b.ports[i].seen)),
					fix:      "set spec.ports[].targetPort to one of these, or declare that port in the container",
				})
			}
		}
		return wrong.outcome()
	},
})

// portUse is what is known of one port of a Service.
type portUse struct {
	// had tells that a pod has it, or may have.
	had bool
	// seen are the ports that pods have instead.
	seen []string
}

// take takes in what the pod has.
func (u *portUse) take(pod *corev1.Pod, p corev1.ServicePort) {
	if u.had {
		return
	}
	named := p.TargetPort.Type == intstr.String
	for _, c := range containers(pod) {
		// One that declares nothing may listen on any number.
		u.had = u.had || !named && len(c.Ports) == 0 || !named && slices.Contains(probed(c), target(p).IntVal)
		for _, has := range c.Ports {
			same := has.ContainerPort == target(p).IntVal
			if named {
				same = has.Name == p.TargetPort.StrVal
			}
			u.had = u.had || same && protocol(has.Protocol) == protocol(p.Protocol)
			word := fmt.Sprintf("%d/%s", has.ContainerPort, protocol(has.Protocol))
			if has.Name != "" {
				word = has.Name + " " + word
			}
			if !slices.Contains(u.seen, word) {
				u.seen = append(u.seen, word)
			}
		}
	}
	if len(u.seen) == 0 {
		u.seen = []string{"none declared"}
	}
}

// probed are the ports by number that the kubelet asks of the container.
func probed(c corev1.Container) []int32 {
	var ports []int32
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		switch {
		case p == nil:
		case p.HTTPGet != nil:
			ports = append(ports, p.HTTPGet.Port.IntVal)
		case p.TCPSocket != nil:
			ports = append(ports, p.TCPSocket.Port.IntVal)
		case p.GRPC != nil:
			ports = append(ports, p.GRPC.Port)
		}
	}
	return ports
}

func word(p corev1.ServicePort) string {
	t := target(p)
	return t.String()
}

// target is the targetPort, which is the port where it is not given.
func target(p corev1.ServicePort) intstr.IntOrString {
	if p.TargetPort == (intstr.IntOrString{}) {
		return intstr.FromInt32(p.Port)
	}
	return p.TargetPort
}

func protocol(p corev1.Protocol) corev1.Protocol {
	if p == "" {
		return corev1.ProtocolTCP
	}
	return p
}
