// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// Every pod can resolve the cluster's names: its dnsPolicy and dnsConfig give it
// the cluster's DNS servers. It cannot where the policy is Default, where it is
// None without a nameserver of the cluster, and on the host network where it is
// ClusterFirst, which means Default there.
//
// Not every pod needs to. Left out are system pods, by their priority class or
// namespace, and DaemonSets on the host network, agents of their node, unless
// their containers name a Service ("web.demo.svc"). What could fool it: a
// nameserver of their own that forwards to the cluster's; one that is an
// address of a Service, a pod or a node, or link-local, is taken for one.
//
// Turns red with: kubectl run web --image=<any> --overrides='{"spec":{"dnsPolicy":"Default"}}'
var _ = check.Register(check.Check{
	ID:       "audit.pod-dns",
	Title:    "the dnsPolicy and dnsConfig of every pod let it resolve the cluster's names",
	Level:    check.Advisory,
	NoProbes: true,
	Collects: []string{"pod-status"}, // what the pod asks for
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		wrong := faults{wanted: "pods to resolve the cluster's names"}
		err := eachPod(ctx, env, func(pod *corev1.Pod) {
			if ended(pod) || system(env, pod) {
				return
			}
			if what, ok := withoutClusterDNS(env, pod); ok {
				wrong.add(owner(pod), pod.Namespace+"/"+pod.Name, what)
			}
		})
		if err != nil {
			return err
		}
		return wrong.outcome()
	},
})

// system tells pods of the cluster itself, which know what they do.
func system(env *check.Env, pod *corev1.Pod) bool {
	return pod.Namespace == "kube-system" || pod.Namespace == env.Cluster.CNI.Namespace || strings.HasPrefix(pod.Spec.PriorityClassName, "system-")
}

// withoutClusterDNS tells whether the pod's resolver does not ask the cluster's
// DNS, by what the kubelet makes of the policies
// (kubernetes/pkg/kubelet/network/dns/dns.go).
func withoutClusterDNS(env *check.Env, pod *corev1.Pod) (fault, bool) {
	switch policy := pod.Spec.DNSPolicy; {
	case policy == corev1.DNSDefault && !(pod.Spec.HostNetwork && agent(pod)):
		return fault{observed: "dnsPolicy Default gives it the node's resolver, which does not know the cluster's names", fix: "set dnsPolicy: ClusterFirst"}, true
	case policy == corev1.DNSNone:
		var servers []string
		if pod.Spec.DNSConfig != nil {
			servers = pod.Spec.DNSConfig.Nameservers
		}
		if slices.ContainsFunc(servers, func(ip string) bool { return ofCluster(env, ip) }) {
			return fault{}, false
		}
		return fault{
			observed: fmt.Sprintf("dnsPolicy None with nameservers %s, none of the cluster", some(servers)),
			fix:      "name the address of Service kube-system/kube-dns in dnsConfig.nameservers, or set dnsPolicy: ClusterFirst",
		}, true
	case (policy == corev1.DNSClusterFirst || policy == "") && pod.Spec.HostNetwork && !agent(pod):
		return fault{observed: "dnsPolicy ClusterFirst means Default on the host network: it does not know the cluster's names", fix: "set dnsPolicy: ClusterFirstWithHostNet"}, true
	}
	return fault{}, false
}

// ofCluster tells an address behind which the cluster's DNS may be.
func ofCluster(env *check.Env, ip string) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	// NodeLocal DNSCache listens on a link-local address.
	inside := addr.IsLinkLocalUnicast() || len(env.Cluster.ServiceCIDRs) == 0
	for _, p := range slices.Concat(env.Cluster.ServiceCIDRs, env.Cluster.PodCIDRs) {
		inside = inside || p.Contains(addr)
	}
	for _, n := range env.Cluster.Nodes {
		inside = inside || slices.Contains(n.InternalIPs, addr)
	}
	return inside
}

// agent tells a pod of a DaemonSet, or of the node itself, that names no Service.
func agent(pod *corev1.Pod) bool {
	ofNode := slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "DaemonSet" || o.Kind == "Node" })
	return ofNode && !slices.ContainsFunc(containers(pod), namesService)
}

func namesService(c corev1.Container) bool {
	words := slices.Concat(c.Command, c.Args)
	for _, e := range c.Env {
		words = append(words, e.Value)
	}
	return slices.ContainsFunc(words, func(w string) bool {
		return strings.Contains(w, ".svc.") || strings.Contains(w, ".svc:") || strings.Contains(w, ".svc/") || strings.HasSuffix(w, ".svc")
	})
}
