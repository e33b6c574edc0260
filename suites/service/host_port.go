// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// hostPorts is the range a free one is taken from by chance: below the node
// ports and the ephemeral ones, and clear of the probes' own.
const firstHostPort, hostPorts = 18100, 1000

// One pod on one node has host ports, and answers at them over TCP and UDP, at
// each of the node's InternalIPs, to a pod on every node and from every node's
// own network: mostly the portmap plugin's work.
//
// A new pod's server may begin to listen a moment after the pod runs, so a probe
// asks until it is answered, for a moment. A datagram that comes too early is refused
// by ICMP, of which the kernel sends an address six at once and then one a second
// (icmp_ratelimit of ip-sysctl, XRLIM_BURST_FACTOR). Who is not told waits to the end
// of the try, so each is short.
//
// What could fool it: a port that something else on the node took, which the answer's
// name shows.
//
// Turns red with: jq 'del(.plugins[] | select(.type == "portmap"))' on the
// /etc/cni/net.d/10-flannel.conflist of the first worker
var _ = check.Register(check.Check{
	ID:       "service.host-port",
	Title:    "a pod answers at its node's address on its hostPort, from every node",
	Level:    check.Required,
	Requires: []string{"pod.to-host-network", "pod.from-host-network"},
	Waits:    true,
	Run: func(ctx context.Context, env *check.Env) error {
		if err := hosts(env); err != nil {
			return err
		}
		// PodSecurity baseline and restricted refuse host ports.
		privileged := *env
		privileged.Namespace = env.HostNamespace
		batch, err := sandbox.Open(ctx, &privileged, "host-port")
		if err != nil {
			return &check.Inconclusive{Why: "the pod to be created could not be followed", Err: err}
		}
		port := firstHostPort + rand.IntN(hostPorts)
		batch.Shape = func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{
				{ContainerPort: job.PortTCP, HostPort: int32(port), Protocol: corev1.ProtocolTCP},
				{ContainerPort: job.PortUDP, HostPort: int32(port), Protocol: corev1.ProtocolUDP},
			}
		}
		nodes, _ := fleet.Able(env)
		i := max(slices.IndexFunc(nodes, func(n cluster.Node) bool { return n.Ready && !n.ControlPlane }), 0)
		if len(nodes) == 0 {
			return &check.NotApplicable{Lacks: "a Linux node"}
		}
		batch.Create(ctx, nodes[i].Name)
		state := batch.Await(ctx, sandbox.Serving)[0]
		if !sandbox.Serving(state) {
			return &check.Inconclusive{Node: nodes[i].Name, Why: "the pod with a host port did not start", Err: sandbox.Started(state)}
		}
		return everywhere(ctx, env, portOf(nodes[i], state.Probe(), port))
	},
})

// portOf asks for a host port of a pod at each of its node's addresses.
func portOf(node cluster.Node, pod probe.Pod, port int) fleet.Question {
	var all []job.Job
	within := config.DefaultTimeouts().ProbeJob
	for _, addr := range node.InternalIPs {
		if !fleet.SameFamily(pod, addr.String()) {
			continue
		}
		for _, kind := range []string{job.TCP, job.UDP} {
			at := net.JoinHostPort(addr.String(), strconv.Itoa(port))
			all = append(all, job.Job{ID: kind + " " + at, Kind: kind, Address: at, Until: job.Answered, Within: within, Timeout: within / 4})
		}
	}
	return fleet.Question{
		Jobs: func(probe.Pod) []job.Job { return all },
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			var wrong []string
			for _, j := range all {
				if r := answers[j.ID]; !r.OK || len(r.Peers) > 0 && r.Peers[0].Pod != pod.Name {
					wrong = append(wrong, j.ID+": "+said(r))
				}
			}
			if len(wrong) == 0 {
				return nil
			}
			f := &check.Failure{
				Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name, pod.Namespace + "/" + pod.Name},
				Wanted: fmt.Sprintf("pod %s to answer at host port %d of %s", pod.Name, port, node.Name), Observed: strings.Join(wrong, "; "),
			}
			if from.Node != node.Name {
				f.Peer = node.Name
			}
			return f
		},
	}
}
