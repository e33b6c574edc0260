// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
)

// label is on the Service of the cluster's DNS, whatever its name, with this
// value also where CoreDNS took the place of kube-dns.
const label = "k8s-app=kube-dns"

// nameserver is the Service that pods ask for names, and the servers behind it.
type nameserver struct {
	// ref is namespace/name.
	ref   string
	addrs []netip.Addr
	// ports are the names of those that DNS is on.
	ports []string
	// ready and unready are the servers, one for each of their addresses.
	ready, unready []replica
}

// replica is one endpoint of a Service.
type replica struct {
	// pod is namespace/name, empty for an endpoint that is no pod.
	pod, node string
	addr      netip.Addr
	ports     []discoveryv1.EndpointPort
}

// errNoNameserver says that no Service is known to be the cluster's DNS.
var errNoNameserver = errors.New("neither the Service kube-system/kube-dns nor one labelled " + label + " is there, nor one whose ClusterIP pods have as their nameserver")

// findNameserver asks the API server for the cluster's DNS: the Service
// kube-system/kube-dns as installers call it, else one with its label, else the
// one whose address is in a pod's resolv.conf. The error wraps errNoNameserver
// when there is none.
func findNameserver(ctx context.Context, env *check.Env) (nameserver, error) {
	all := env.Cluster.Client.CoreV1().Services(metav1.NamespaceAll)
	service, err := env.Cluster.Client.CoreV1().Services(metav1.NamespaceSystem).Get(ctx, "kube-dns", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nameserver{}, err
	}
	found := []corev1.Service{}
	if err == nil {
		found = append(found, *service)
	} else {
		labelled, err := all.List(ctx, metav1.ListOptions{LabelSelector: label})
		if err != nil {
			return nameserver{}, err
		}
		found = append(found, labelled.Items...)
	}
	found = slices.DeleteFunc(found, func(s corev1.Service) bool { return s.Spec.ClusterIP == corev1.ClusterIPNone })
	if len(found) == 0 {
		conf, err := anyConf(ctx, env)
		if err != nil {
			return nameserver{}, fmt.Errorf("%w (%w)", errNoNameserver, err)
		}
		for _, server := range conf.nameservers {
			of, err := all.List(ctx, metav1.ListOptions{FieldSelector: "spec.clusterIP=" + server})
			if err != nil {
				return nameserver{}, err
			}
			found = append(found, of.Items...)
		}
	}
	if len(found) == 0 {
		return nameserver{}, errNoNameserver
	}
	return readNameserver(ctx, env, found[0])
}

func readNameserver(ctx context.Context, env *check.Env, service corev1.Service) (nameserver, error) {
	n := nameserver{ref: service.Namespace + "/" + service.Name}
	for _, ip := range service.Spec.ClusterIPs {
		if addr, err := netip.ParseAddr(ip); err == nil {
			n.addrs = append(n.addrs, addr)
		}
	}
	for _, p := range service.Spec.Ports {
		if p.Port == 53 {
			n.ports = append(n.ports, p.Name)
		}
	}
	var err error
	n.ready, n.unready, err = endpoints(ctx, env, service.Namespace, service.Name)
	return n, err
}

// endpoints are those of the Service, one for each address.
func endpoints(ctx context.Context, env *check.Env, namespace, service string) (ready, unready []replica, err error) {
	list, err := env.Cluster.Client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		return nil, nil, fmt.Errorf("list the EndpointSlices of %s/%s: %w", namespace, service, err)
	}
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			r := replica{ports: slice.Ports}
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				r.pod = namespace + "/" + e.TargetRef.Name
			}
			if e.NodeName != nil {
				r.node = *e.NodeName
			}
			if len(e.Addresses) > 0 {
				// Further addresses of an endpoint are not used (API documentation).
				r.addr, _ = netip.ParseAddr(e.Addresses[0])
			}
			// A condition that is not set means ready.
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready = append(ready, r)
			} else {
				unready = append(unready, r)
			}
		}
	}
	return ready, unready, nil
}

// pods are those of the replicas, each once.
func pods(replicas []replica) []string {
	var names []string
	for _, r := range replicas {
		if r.pod != "" && !slices.Contains(names, r.pod) {
			names = append(names, r.pod)
		}
	}
	return names
}

// judged tells whether the node is among those to judge.
func judged(env *check.Env, node string) bool {
	return slices.ContainsFunc(env.Nodes, func(n cluster.Node) bool { return n.Name == node })
}

// cutOff is a sentence about a server on a node that is not judged, empty when
// there is none: queries it swallowed say nothing of the node that asked.
func (n nameserver) cutOff(env *check.Env) string {
	i := slices.IndexFunc(n.ready, func(r replica) bool { return !judged(env, r.node) })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("%s, one of the servers behind %s, runs on %s, which is not judged", n.ready[i].pod, n.ref, n.ready[i].node)
}
