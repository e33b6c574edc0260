// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/balance"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
)

// label is on the Service of the cluster's DNS, whatever its name, with this
// value also where CoreDNS took the place of kube-dns.
const label = "k8s-app=kube-dns"

// replicas is what the API server knows of the cluster's DNS servers.
type replicas struct {
	// pods are namespace/name of those that are ready.
	pods []string
	// note goes before a failure that it explains; empty when it explains none.
	note string
	// cutOff is a sentence about a replica on a node that is not judged, empty
	// when there is none.
	cutOff string
}

// replicasOf asks for the Service of the cluster's DNS and its endpoints. What
// cannot be learnt is left empty: it only explains.
func replicasOf(ctx context.Context, env *check.Env) replicas {
	services, err := env.Cluster.Client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return replicas{}
	}
	i := slices.IndexFunc(services.Items, func(s corev1.Service) bool { return s.Spec.ClusterIP != corev1.ClusterIPNone })
	if i < 0 {
		return replicas{note: "no Service is labelled " + label + "; "}
	}
	service, err := balance.Read(ctx, env.Cluster.Client, services.Items[i].Namespace, services.Items[i].Name)
	if err != nil {
		return replicas{}
	}
	var r replicas
	for _, backends := range service.Backends {
		for _, b := range backends {
			r.pods = append(r.pods, services.Items[i].Namespace+"/"+b.Pod)
			if !slices.ContainsFunc(env.Nodes, func(n cluster.Node) bool { return n.Name == b.Node }) {
				r.cutOff = fmt.Sprintf("%s, one of the servers behind %s, runs on %s, which is not judged", b.Pod, service.Ref, b.Node)
			}
		}
	}
	if len(r.pods) == 0 {
		r.note = "Service " + service.Ref + " has no ready endpoint; "
	}
	return r
}
