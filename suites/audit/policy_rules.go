// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/cniproof/cniproof/framework/check"
)

type peer = networkingv1.NetworkPolicyPeer

// rules are the NetworkPolicies of the cluster by namespace, and what is needed
// to read them: the namespaces' labels and where the cluster's DNS is.
type rules struct {
	policies   map[string][]policy
	namespaces map[string]labels.Set
	dns        dns
}

type policy struct {
	ref, namespace string
	selects        labels.Selector
	types          []networkingv1.PolicyType
	spec           networkingv1.NetworkPolicySpec
}

// dns is where the cluster's DNS is: its pods, and its Service as an end of its
// own; ports are those of its containers for UDP.
type dns struct {
	ends  []end
	ports []corev1.ContainerPort
}

// end is one end of a connection.
type end struct {
	name, namespace string
	labels          labels.Set
	addrs           []netip.Addr
	// pod tells that it is one, and not a Service.
	pod bool
}

func endOf(pod *corev1.Pod) end {
	e := end{name: pod.Name, namespace: pod.Namespace, labels: pod.Labels, pod: true}
	for _, ip := range pod.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			e.addrs = append(e.addrs, a)
		}
	}
	return e
}

// readRules reads all of it, each kind of object once.
func readRules(ctx context.Context, env *check.Env) (*rules, error) {
	r := &rules{policies: map[string][]policy{}, namespaces: map[string]labels.Set{}}
	err := each(ctx, "NetworkPolicies", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return env.Cluster.Client.NetworkingV1().NetworkPolicies(metav1.NamespaceAll).List(ctx, o)
	}, func(p *networkingv1.NetworkPolicy) {
		// A selector that does not parse is refused by the API server.
		if selects, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector); err == nil {
			r.policies[p.Namespace] = append(r.policies[p.Namespace], policy{p.Namespace + "/" + p.Name, p.Namespace, selects, typesOf(p.Spec), p.Spec})
		}
	})
	if err != nil || len(r.policies) == 0 {
		return r, err
	}
	err = each(ctx, "namespaces", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return env.Cluster.Client.CoreV1().Namespaces().List(ctx, o)
	}, func(n *corev1.Namespace) { r.namespaces[n.Name] = n.Labels })
	if err != nil {
		return nil, err
	}
	marked := metav1.ListOptions{LabelSelector: dnsLabel}
	pods, err := env.Cluster.Client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, marked)
	if err != nil {
		return nil, unreadable("the pods of the cluster's DNS", err)
	}
	services, err := env.Cluster.Client.CoreV1().Services(metav1.NamespaceSystem).List(ctx, marked)
	if err != nil {
		return nil, unreadable("the Service of the cluster's DNS", err)
	}
	for i := range pods.Items {
		r.dns.ends = append(r.dns.ends, endOf(&pods.Items[i]))
		for _, c := range pods.Items[i].Spec.Containers {
			r.dns.ports = append(r.dns.ports, c.Ports...)
		}
	}
	for _, s := range services.Items {
		e := end{name: s.Name, namespace: s.Namespace}
		for _, ip := range s.Spec.ClusterIPs {
			if a, err := netip.ParseAddr(ip); err == nil {
				e.addrs = append(e.addrs, a)
			}
		}
		r.dns.ends = append(r.dns.ends, e)
	}
	if len(r.dns.ends) == 0 {
		return nil, &check.NotApplicable{Lacks: "a cluster DNS labelled " + dnsLabel + " in kube-system"}
	}
	return r, nil
}

// typesOf are the policy's, which the API server fills in; without them a policy
// is for ingress, and for egress where it has rules for that.
func typesOf(s networkingv1.NetworkPolicySpec) []networkingv1.PolicyType {
	if len(s.PolicyTypes) > 0 {
		return s.PolicyTypes
	}
	if len(s.Egress) > 0 {
		return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	}
	return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
}

// matches tells whether the peer of a policy in the namespace is e.
func (r *rules) matches(p peer, namespace string, e end) bool {
	if p.IPBlock != nil {
		return slices.ContainsFunc(e.addrs, func(a netip.Addr) bool {
			return within(a, p.IPBlock.CIDR) && !slices.ContainsFunc(p.IPBlock.Except, func(cidr string) bool { return within(a, cidr) })
		})
	}
	if !e.pod || p.NamespaceSelector == nil && e.namespace != namespace {
		return false
	}
	return selected(p.NamespaceSelector, r.namespaces[e.namespace]) && selected(p.PodSelector, e.labels)
}

// selected tells whether the selector, nil being any, matches.
func selected(s *metav1.LabelSelector, set labels.Set) bool {
	if s == nil {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(set)
}

func within(a netip.Addr, cidr string) bool {
	p, err := netip.ParsePrefix(cidr)
	return err == nil && p.Contains(a)
}

// toDNS tells whether the ports of a rule, none being all, have the DNS's for
// UDP: the port of its containers, since policies see packets after a Service's
// translation, or the Service's own, since some do not.
func (r *rules) toDNS(ports []networkingv1.NetworkPolicyPort) bool {
	has := func(p networkingv1.NetworkPolicyPort, number int32) bool {
		last := p.Port.IntVal
		if p.EndPort != nil {
			last = *p.EndPort
		}
		return p.Port.IntVal <= number && number <= last
	}
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		if p.Protocol == nil || *p.Protocol != corev1.ProtocolUDP {
			return false
		}
		if p.Port == nil || p.Port.Type == intstr.Int && has(p, 53) {
			return true
		}
		return slices.ContainsFunc(r.dns.ports, func(c corev1.ContainerPort) bool {
			return c.Protocol == corev1.ProtocolUDP && (p.Port.Type == intstr.String && c.Name == p.Port.StrVal || p.Port.Type == intstr.Int && has(p, c.ContainerPort))
		})
	})
}
