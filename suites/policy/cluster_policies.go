// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// clusterWide are the kinds of policies that apply to every namespace, and the
// field that says to which pods; a policy without the field, or with an empty
// one, applies to all.
var clusterWide = []struct {
	resource schema.GroupVersionResource
	subject  []string
}{
	{schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumclusterwidenetworkpolicies"}, []string{"spec", "endpointSelector"}},
	{schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "globalnetworkpolicies"}, []string{"spec", "selector"}},
	{schema.GroupVersionResource{Group: "crd.antrea.io", Version: "v1beta1", Resource: "clusternetworkpolicies"}, []string{"spec", "appliedTo"}},
	{schema.GroupVersionResource{Group: "policy.networking.k8s.io", Version: "v1alpha1", Resource: "adminnetworkpolicies"}, []string{"spec", "subject"}},
	{schema.GroupVersionResource{Group: "policy.networking.k8s.io", Version: "v1alpha1", Resource: "baselineadminnetworkpolicies"}, []string{"spec", "subject"}},
	{schema.GroupVersionResource{Group: "policy.networking.k8s.io", Version: "v1alpha2", Resource: "clusternetworkpolicies"}, []string{"spec", "subject"}},
}

// No policy of the cluster itself cuts the traffic of the run: none that this
// run did not make is in its namespaces, as policy engines put them there; none
// that applies to all namespaces selects all pods; and none in kube-system
// isolates the DNS servers from other namespaces.
//
// They are read and never changed. Every one is named with what it selects; that
// it does select all pods is taken from an empty selector and from Calico's
// all(), so one that selects the run's pods by what they happen to be is missed.
//
// Turns red with: kubectl -n kube-system apply -f - <<< '{apiVersion:
// networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}, spec:
// {podSelector: {}}}'
var _ = check.Register(check.Check{
	ID:       "policy.cluster-policies",
	Title:    "no policy of the cluster itself cuts the traffic of these checks",
	Level:    check.Advisory,
	Requires: []string{"policy.enforced"},
	Run: func(ctx context.Context, env *check.Env) error {
		if err := enforces(env); err != nil {
			return err
		}
		found, err := namespaced(ctx, env)
		if err != nil {
			return err
		}
		client, err := dynamic.NewForConfig(env.Cluster.Config)
		if err != nil {
			return &check.Inconclusive{Why: "no client for the policies of the CNI could be made", Err: err}
		}
		for _, kind := range clusterWide {
			list, err := client.Resource(kind.resource).List(ctx, metav1.ListOptions{})
			switch {
			case apierrors.IsNotFound(err):
				continue
			case err != nil:
				return &check.Inconclusive{Why: "the " + kind.resource.GroupResource().String() + " could not be listed", Err: err}
			}
			for _, item := range list.Items {
				if all(item, kind.subject) {
					found = append(found, fmt.Sprintf("%s %s selects all pods", item.GetKind(), item.GetName()))
				}
			}
		}
		if len(found) == 0 {
			return nil
		}
		return &check.Failure{Wanted: "no policy but the run's own to select the run's pods, or to isolate the cluster's DNS", Observed: strings.Join(found, "; ")}
	},
})

// all tells whether the field of a policy selects every pod.
func all(policy unstructured.Unstructured, field []string) bool {
	value, found, _ := unstructured.NestedFieldNoCopy(policy.Object, field...)
	switch v := value.(type) {
	case map[string]any:
		if ns, ok := v["namespaces"].(map[string]any); ok {
			return len(ns) == 0
		}
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return v == "" || v == "all()"
	}
	return !found
}

// namespaced are the NetworkPolicies in the run's namespaces that are not the
// run's own, and those that isolate the DNS servers from the run's pods.
func namespaced(ctx context.Context, env *check.Env) ([]string, error) {
	var found []string
	for _, ns := range []string{env.Namespace, env.HostNamespace, metav1.NamespaceSystem} {
		if ns == "" {
			continue
		}
		list, err := env.Cluster.Client.NetworkingV1().NetworkPolicies(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, &check.Inconclusive{Why: "the NetworkPolicies of " + ns + " could not be listed", Err: err}
		}
		for _, p := range list.Items {
			switch {
			case ns == metav1.NamespaceSystem && isolatesDNS(p):
				found = append(found, fmt.Sprintf("NetworkPolicy %s/%s selects the cluster's DNS servers and lets no other namespace in", ns, p.Name))
			case ns != metav1.NamespaceSystem && p.Labels[workloads.RunLabel] != env.RunID:
				found = append(found, fmt.Sprintf("NetworkPolicy %s/%s is not the run's own", ns, p.Name))
			}
		}
	}
	return found, nil
}

// isolatesDNS tells whether a policy of kube-system selects the DNS servers for
// ingress and has no rule that lets in other namespaces.
func isolatesDNS(p networkingv1.NetworkPolicy) bool {
	selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
	if err != nil || !selector.Matches(labels.Set{"k8s-app": "kube-dns"}) {
		return false
	}
	ingress := len(p.Spec.PolicyTypes) == 0
	for _, t := range p.Spec.PolicyTypes {
		ingress = ingress || t == networkingv1.PolicyTypeIngress
	}
	for _, rule := range p.Spec.Ingress {
		for _, from := range rule.From {
			ingress = ingress && from.NamespaceSelector == nil && from.IPBlock == nil
		}
		ingress = ingress && len(rule.From) > 0
	}
	return ingress
}
