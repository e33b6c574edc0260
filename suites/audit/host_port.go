// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// No two pods want the same hostPort of a node, and no hostPort is the nodePort
// of a Service. The scheduler keeps such a pod Pending; pods that did not come by
// the scheduler (static pods, spec.nodeName) get the port both, and one of them
// is never reached; between a hostPort and a nodePort the order of the node's
// rules decides.
//
// What could fool it: pods on the host network have their ports as hostPorts
// (the API server fills them in) and one may listen on another than it declares.
//
// Turns red with: two pods with hostPort 9090 and the same spec.nodeName
var _ = check.Register(check.Check{
	ID:       "audit.host-port",
	Title:    "no hostPort is wanted twice on a node or is a Service's nodePort",
	Level:    check.Advisory,
	NoProbes: true,
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		nodePorts := map[string]string{}
		err := eachService(ctx, env, func(s *corev1.Service) {
			for _, p := range s.Spec.Ports {
				if p.NodePort > 0 {
					nodePorts[fmt.Sprintf("%d/%s", p.NodePort, protocol(p.Protocol))] = s.Namespace + "/" + s.Name
				}
			}
		})
		if err != nil {
			return err
		}
		holders, waiting := map[string][]claim{}, []claim{}
		err = eachPod(ctx, env, func(pod *corev1.Pod) {
			if ended(pod) {
				return
			}
			for _, c := range claims(pod) {
				if c.node != "" {
					holders[c.port] = append(holders[c.port], c)
				} else if c.refused {
					waiting = append(waiting, c)
				}
			}
		})
		if err != nil {
			return err
		}
		wrong := faults{wanted: "each hostPort to be one pod's"}
		for port, all := range holders {
			for i, c := range all {
				if service := nodePorts[port]; service != "" {
					wrong.add(c.owner, c.pod, fault{observed: fmt.Sprintf("its hostPort %s is also the nodePort of Service %s", port, service), fix: "take another hostPort, outside of the range of nodePorts", node: c.node})
				}
				if j := slices.IndexFunc(all[:i], c.clashes); j >= 0 {
					wrong.add(c.owner, c.pod, fault{observed: fmt.Sprintf("its hostPort %s on %s is also that of %s", port, c.node, all[j].pod), fix: "take another hostPort, or keep the two pods on different nodes", node: c.node})
				}
			}
		}
		for _, c := range waiting {
			if all := holders[c.port]; len(all) > 0 {
				wrong.add(c.owner, c.pod, fault{observed: fmt.Sprintf("it is Pending for its hostPort %s, which %s on %s has", c.port, all[0].pod, all[0].node), fix: "take another hostPort, fewer replicas than nodes, or a Service instead"})
			}
		}
		return wrong.outcome()
	},
})

// claim is a pod's claim to a port of its node.
type claim struct {
	owner, pod, node string
	port, ip         string
	// refused tells that the scheduler found no node with the port free.
	refused bool
}

func claims(pod *corev1.Pod) []claim {
	c := claim{owner: owner(pod), pod: pod.Namespace + "/" + pod.Name, node: pod.Spec.NodeName}
	for _, cond := range pod.Status.Conditions {
		// The scheduler's words (kubernetes/pkg/scheduler/framework/plugins/nodeports).
		c.refused = c.refused || cond.Type == corev1.PodScheduled && strings.Contains(cond.Message, "have free ports for the requested pod ports")
	}
	var all []claim
	for _, container := range containers(pod) {
		for _, p := range container.Ports {
			if p.HostPort > 0 {
				c.port, c.ip = fmt.Sprintf("%d/%s", p.HostPort, protocol(p.Protocol)), p.HostIP
				all = append(all, c)
			}
		}
	}
	return all
}

// clashes tells whether both want the port of one node at one address.
func (c claim) clashes(other claim) bool {
	any := func(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }
	return c.node == other.node && c.pod != other.pod && (c.ip == other.ip || any(c.ip) || any(other.ip))
}
