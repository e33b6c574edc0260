// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/cniproof/cniproof/framework/check"
)

// The NetworkPolicies of every pod let it ask the cluster's DNS over UDP, and
// those of the DNS pods let it in. It reads the policies as the API defines them:
// those that select a pod add up, one that allows is enough. Rules may name the
// DNS pods, or their addresses or that of their Service, which of the two an
// ipBlock is held against the CNI decides.
//
// What could fool it: policies of the CNI's own kinds are not read; a CNI that
// enforces none lets everything pass, which the words of a failure say for those
// known to.
//
// Turns red with: a NetworkPolicy with podSelector {}, policyTypes [Egress] and no rule, beside a pod
var _ = check.Register(check.Check{
	ID:       "audit.policy-dns",
	Title:    "no NetworkPolicy keeps a pod from the cluster's DNS",
	Level:    check.Advisory,
	NoProbes: true,
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		r, err := readRules(ctx, env)
		if err != nil {
			return err
		}
		enforced := ""
		if env.Cluster.CNI.Kind == "flannel" {
			enforced = " (flannel enforces none, so that it shows with the next CNI)"
		}
		wrong := faults{wanted: "NetworkPolicies to let pods ask the cluster's DNS"}
		known := map[string][]string{} // of pods with the same labels
		err = eachPod(ctx, env, func(pod *corev1.Pod) {
			if ended(pod) || pod.Spec.HostNetwork || r.dns.is(pod) {
				return
			}
			key := pod.Namespace + "/" + labels.Set(pod.Labels).String()
			cut, ok := known[key]
			if !ok {
				cut = r.cut(pod)
				known[key] = cut
			}
			if len(cut) == 0 {
				return
			}
			wrong.add("NetworkPolicy "+strings.Join(cut, ", "), pod.Namespace+"/"+pod.Name, fault{
				observed: "it leaves " + owner(pod) + " no way to UDP port 53 of the cluster's DNS" + enforced,
				fix:      "allow UDP and TCP port 53 between these pods and those labelled " + dnsLabel + " in kube-system",
			})
		})
		if err != nil {
			return err
		}
		return wrong.outcome()
	},
})

// dnsLabel marks the cluster's DNS, pods and Service, by convention also where
// CoreDNS took the place of kube-dns.
const dnsLabel = "k8s-app=kube-dns"

// cut names the policies that keep the pod from the DNS: of its own, or of the
// DNS pods; none where nothing does. An address of its own has no bearing on
// what pods with the same labels may do but for an ipBlock in a policy of the
// DNS pods, which is for clients outside.
func (r *rules) cut(pod *corev1.Pod) []string {
	var out, in []string
	outward, inward := false, false
	for _, p := range r.policies[pod.Namespace] {
		if !slices.Contains(p.types, "Egress") || !p.selects.Matches(labels.Set(pod.Labels)) {
			continue
		}
		out = append(out, p.ref)
		for _, rule := range p.spec.Egress {
			outward = outward || r.toDNS(rule.Ports) && (len(rule.To) == 0 || slices.ContainsFunc(r.dns.ends, func(e end) bool { return r.any(rule.To, p.namespace, e) }))
		}
	}
	for _, p := range r.policies[metav1.NamespaceSystem] {
		if !slices.Contains(p.types, "Ingress") || !slices.ContainsFunc(r.dns.ends, func(e end) bool { return e.pod && p.selects.Matches(e.labels) }) {
			continue
		}
		in = append(in, p.ref)
		for _, rule := range p.spec.Ingress {
			inward = inward || r.toDNS(rule.Ports) && (len(rule.From) == 0 || r.any(rule.From, p.namespace, endOf(pod)))
		}
	}
	switch {
	case len(out) > 0 && !outward:
		return out
	case len(in) > 0 && !inward:
		return in
	}
	return nil
}

// is tells one of the DNS pods.
func (d dns) is(pod *corev1.Pod) bool {
	return slices.ContainsFunc(d.ends, func(e end) bool { return e.pod && e.name == pod.Name && e.namespace == pod.Namespace })
}

// any tells whether a peer of the rule of a policy in the namespace is e.
func (r *rules) any(peers []peer, namespace string, e end) bool {
	return slices.ContainsFunc(peers, func(p peer) bool { return r.matches(p, namespace, e) })
}

// unreadable is the outcome where something the policies refer to is missing.
func unreadable(what string, err error) error {
	return &check.Inconclusive{Why: fmt.Sprintf("%s could not be read", what), Err: err}
}
