// SPDX-License-Identifier: Apache-2.0

// Package balance meets the backends of a Service: which there are, how many
// connections it takes to have met each, and which were met. It does not judge
// whether that is as it ought to be.
package balance

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/fleet"
)

// Backend is a ready endpoint of a Service.
type Backend struct {
	// Pod and Node are names; Pod is empty for an endpoint that is no pod.
	Pod, Node string
	// Addr is where it listens.
	Addr netip.Addr
}

// Service is a Service and its ready endpoints.
type Service struct {
	Ref string
	// Addrs are its ClusterIPs.
	Addrs []netip.Addr
	Ports []corev1.ServicePort
	// Ingress are the addresses of its load balancer.
	Ingress []netip.Addr
	// Backends are those of each address family.
	Backends map[corev1.IPFamily][]Backend
}

// Read asks the API server for the Service and its EndpointSlices.
func Read(ctx context.Context, client kubernetes.Interface, namespace, name string) (Service, error) {
	s := Service{Ref: namespace + "/" + name}
	object, err := client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return s, fmt.Errorf("get the Service %s: %w", s.Ref, err)
	}
	for _, ip := range object.Spec.ClusterIPs {
		if addr, err := netip.ParseAddr(ip); err == nil {
			s.Addrs = append(s.Addrs, addr)
		}
	}
	if len(s.Addrs) == 0 {
		return s, fmt.Errorf("get the Service %s: wanted one with a ClusterIP, observed %q", s.Ref, object.Spec.ClusterIP)
	}
	s.Ports = object.Spec.Ports
	for _, ingress := range object.Status.LoadBalancer.Ingress {
		if addr, err := netip.ParseAddr(ingress.IP); err == nil {
			s.Ingress = append(s.Ingress, addr)
		}
	}
	s.Backends, err = Endpoints(ctx, client, namespace, name)
	return s, err
}

// Endpoints asks the API server for the ready endpoints of a Service, one
// without a ClusterIP too.
func Endpoints(ctx context.Context, client kubernetes.Interface, namespace, name string) (map[corev1.IPFamily][]Backend, error) {
	ready := map[corev1.IPFamily][]Backend{}
	slices, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + name})
	if err != nil {
		return nil, fmt.Errorf("list the EndpointSlices of %s/%s: %w", namespace, name, err)
	}
	for _, slice := range slices.Items {
		family := corev1.IPFamily(slice.AddressType)
		for _, e := range slice.Endpoints {
			// A condition that is not set means ready.
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			var b Backend
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				b.Pod = e.TargetRef.Name
			}
			if e.NodeName != nil {
				b.Node = *e.NodeName
			}
			if len(e.Addresses) > 0 { // those beyond the first have no meaning (discovery/v1)
				b.Addr, _ = netip.ParseAddr(e.Addresses[0])
			}
			ready[family] = append(ready[family], b)
		}
	}
	return ready, nil
}

// NodePort is the port at which nodes answer for the Service's port of that
// name, 0 where they do not.
func (s Service) NodePort(name string) int {
	for _, p := range s.Ports {
		if p.Name == name {
			return int(p.NodePort)
		}
	}
	return 0
}

// Of are the backends behind the address.
func (s Service) Of(addr netip.Addr) []Backend {
	if addr.Is4() {
		return s.Backends[corev1.IPv4Protocol]
	}
	return s.Backends[corev1.IPv6Protocol]
}

const (
	// missed is the chance taken that a backend which does get its share is not
	// met.
	missed = 1e-6
	// widest is how many jobs the connections to one address are spread over:
	// those of a job are made one after another, each may time out.
	widest = 24
	// most is the largest number of connections to one address, from one pod.
	most = 192
)

// Tries is how many connections it takes to meet each of n backends that are
// picked at random, but for a chance of one in a million (coupon collector:
// each is missed with (1-1/n)^tries). It is false when that is too many to ask
// of one pod.
func Tries(n int) (int, bool) {
	if n <= 1 {
		return 3, true
	}
	tries := int(math.Ceil(math.Log(missed/float64(n)) / math.Log(1-1/float64(n))))
	return min(tries, most), tries <= most
}

// Jobs are the connections or datagrams to port of addr, enough to meet each
// backend where Tries says so.
func (s Service) Jobs(kind string, addr netip.Addr, port int) []job.Job {
	tries, _ := Tries(len(s.Of(addr)))
	return Spread(kind, net.JoinHostPort(addr.String(), strconv.Itoa(port)), tries)
}

// Spread are as many connections, requests or datagrams to the address, each
// from a source port of its own so that each is balanced anew.
func Spread(kind, address string, tries int) []job.Job {
	if kind == job.HTTP {
		address = "http://" + address + "/"
	}
	var jobs []job.Job
	for i := range min(tries, widest) {
		jobs = append(jobs, job.Job{
			ID: fmt.Sprintf("%s %s #%d", kind, address, i), Kind: kind, Address: address,
			Count: (tries + widest - 1 - i) / widest,
		})
	}
	return jobs
}

// Meeting is what came of such jobs.
type Meeting struct {
	Sent, Received int
	// Pods are the names of those that answered, Clients the client's addresses
	// that they saw.
	Pods, Clients map[string]bool
	// Error is the first that is not OK, in words.
	Error string
}

// Meet sums up the answers to the jobs.
func Meet(jobs []job.Job, answers fleet.Answers) Meeting {
	m := Meeting{Pods: map[string]bool{}, Clients: map[string]bool{}}
	for _, j := range jobs {
		r := answers[j.ID]
		m.Sent += r.Sent
		m.Received += r.Received
		for _, p := range r.Peers {
			m.Pods[p.Pod] = true
			if seen, err := netip.ParseAddrPort(p.Client); err == nil {
				m.Clients[seen.Addr().Unmap().String()] = true
			}
		}
		if !r.OK && m.Error == "" {
			m.Error = fleet.Says(r)
		}
	}
	return m
}

// Unmet are those of the backends that never answered, in words.
func (m Meeting) Unmet(backends []Backend) []string {
	var unmet []string
	for _, b := range backends {
		if !m.Pods[b.Pod] {
			unmet = append(unmet, b.Pod+" on "+b.Node)
		}
	}
	return unmet
}
