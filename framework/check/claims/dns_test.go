// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
)

// resolvConf is a pod's as the kubelet writes it for ClusterFirst.
func resolvConf(namespace string) string {
	return "search " + namespace + ".svc.cluster.local svc.cluster.local cluster.local corp.test\nnameserver 10.96.0.10\noptions ndots:5\n"
}

// resolves makes the world's DNS that of a cluster, but for what fault says.
func resolves(w *world, fault func(from probe.Pod, j job.Job) *job.Result) {
	dns := service("kube-system", "kube-dns", dnsIP)
	dns.Spec.Ports = []corev1.ServicePort{{Name: "dns", Port: 53}, {Name: "dns-tcp", Port: 53}, {Name: "metrics", Port: 9153}}
	servers := []discoveryv1.Endpoint{endpoint("w1", "coredns-w1"), endpoint("w2", "coredns-w2")}
	servers[0].Addresses, servers[1].Addresses = []string{"10.244.1.53"}, []string{"10.244.2.53"}
	slice := endpoints("kube-system", "kube-dns", servers)
	for name, protocol := range map[string]corev1.Protocol{"dns": corev1.ProtocolUDP, "dns-tcp": corev1.ProtocolTCP, "metrics": corev1.ProtocolTCP} {
		number := int32(53)
		if name == "metrics" {
			number = 9153
		}
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &name, Port: &number, Protocol: &protocol})
	}
	var pods []discoveryv1.Endpoint
	for i, node := range nodeNames {
		e := endpoint(node, "probe-"+node)
		e.Addresses = []string{fmt.Sprintf("10.244.%d.2", i)}
		pods = append(pods, e)
	}
	n := len(w.objects)
	w.objects = append(w.objects[:n-2:n-2], dns, slice, service("default", "kubernetes", "10.96.0.1"), endpoints("ns", "probe-headless", pods))
	w.env.Cluster.ServiceCIDRs = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	w.env.Cluster.Outside = &cluster.Outside{Addrs: []netip.Addr{netip.MustParseAddr("172.18.0.9")}, Zone: "outside.test"}
	w.serve = kubelet
	w.fault = func(from probe.Pod, j job.Job) *job.Result {
		if r := fault(from, j); r != nil {
			return r
		}
		return zone(from, j)
	}
}

// policies are those of the pods that were created, by name.
var policies sync.Map

// kubelet runs every pod that is created.
func kubelet(client *fake.Clientset) {
	client.PrependReactor("create", "pods", func(a ktesting.Action) (bool, runtime.Object, error) {
		pod := a.(ktesting.CreateAction).GetObject().(*corev1.Pod)
		pod.Spec.NodeName = "cp"
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.0.9", PodIPs: []corev1.PodIP{{IP: "10.244.0.9"}}, ContainerStatuses: []corev1.ContainerStatus{{
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		}}}
		policies.Store(pod.Name, pod.Spec.DNSPolicy)
		return false, nil, nil
	})
}

// zone answers as CoreDNS does; nil is a job that is no lookup.
func zone(from probe.Pod, j job.Job) *job.Result {
	ok := func(records ...string) *job.Result {
		return &job.Result{OK: true, Sent: 1, Received: 1, Server: dnsIP + ":53", RCode: "NOERROR", Answers: records}
	}
	name, _ := strings.CutSuffix(j.Name, ".")
	switch {
	case j.Kind == job.File:
		return &job.Result{OK: true, Text: fileOf(from)}
	case j.Kind == job.DNSPair:
		return ok()
	case j.Kind != job.DNS:
		return nil
	case strings.HasPrefix(name, "nobody-"):
		return &job.Result{Sent: 1, Error: job.NXDomain, RCode: "NXDOMAIN"}
	case name == "kubernetes.default":
		return ok("kubernetes.default.svc.cluster.local. 5 IN A 10.96.0.1")
	case name == "probe-headless":
		return ok("x. 5 IN A 10.244.2.2", "x. 5 IN A 10.244.0.2", "x. 5 IN A 10.244.1.2")
	case name == "_http._tcp.probe":
		return ok("x. 5 IN SRV 0 100 80 probe.ns.svc.cluster.local.")
	case name == "_udp._udp.probe":
		return ok("x. 5 IN SRV 0 100 82 probe.ns.svc.cluster.local.")
	case name == "7.0.96.10.in-addr.arpa":
		return ok("x. 5 IN PTR probe.ns.svc.cluster.local.")
	case strings.HasPrefix(name, "external-"):
		return ok("x. 5 IN CNAME probe.ns.svc.cluster.local.", "probe.ns.svc.cluster.local. 5 IN A "+serviceIP)
	case strings.HasPrefix(name, "large-"):
		var records []string
		for i := range 100 {
			records = append(records, fmt.Sprintf("x. 5 IN A 198.51.100.%d", i+1))
		}
		return ok(records...)
	case strings.HasSuffix(name, ".outside.test"):
		return ok("x. 5 IN A 172.18.0.9")
	case name == "probe", name == "probe.ns.svc.cluster.local":
		return ok("probe.ns.svc.cluster.local. 5 IN A " + serviceIP)
	}
	return &job.Result{Sent: 1, Error: job.NXDomain, RCode: "NXDOMAIN", Message: "no such name in this test"}
}

// fileOf is the resolv.conf of a pod by its policy.
func fileOf(from probe.Pod) string {
	policy, _ := policies.Load(from.Name)
	switch policy {
	case corev1.DNSDefault:
		return "search corp.test\nnameserver 172.18.0.1\n"
	case corev1.DNSNone:
		return "search none.cniproof.test\nnameserver 192.0.2.53\noptions ndots:2\n"
	}
	return resolvConf(from.Namespace)
}

var dnsChecks = []string{
	"dns.endpoints-ready", "dns.service-name", "dns.cross-namespace-name", "dns.fqdn", "dns.headless", "dns.srv", "dns.ptr", "dns.external-name",
	"dns.nxdomain", "dns.large-answer", "dns.replicas-from-every-node", "dns.upstream-name", "dns.pod-resolv-conf", "dns.parallel-a-aaaa", "dns.loss",
}

func TestDNSPassesWhereItWorks(t *testing.T) {
	for _, id := range dnsChecks {
		w := newWorld()
		resolves(w, func(probe.Pod, job.Job) *job.Result { return nil })
		if err := w.run(t, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// wrong is a DNS that answers lookups of names with the prefix, from w1, so.
func wrong(prefix string, answer job.Result) func(*world) {
	return func(w *world) {
		resolves(w, func(from probe.Pod, j job.Job) *job.Result {
			if (j.Kind != job.DNS && j.Kind != job.DNSPair) || from.Node != "w1" || !strings.HasPrefix(j.Name, prefix) {
				return nil
			}
			return &answer
		})
	}
}

func TestDNSFaults(t *testing.T) {
	nxdomain := job.Result{Sent: 1, Error: job.NXDomain, Message: "answered NXDOMAIN", Asked: []string{"tried.test."}}
	servfail := job.Result{Sent: 1, Error: job.ServFail, Message: "answered SERVFAIL"}
	answer := func(records ...string) job.Result {
		return job.Result{OK: true, Sent: 1, Received: 1, Server: "10.96.0.10:53", Answers: records}
	}
	w1 := []string{"failed w1"}
	run(t, map[string]faulty{
		"another Service's address":  {"dns.cross-namespace-name", wrong("kubernetes.default", answer("x. 5 IN A 10.96.0.99")), w1, []string{"wrong answer", "10.96.0.99"}},
		"a failing server":           {"dns.fqdn", wrong("probe.", servfail), w1, []string{"A over udp: 2 of 2 servfail, A over tcp: 2 of 2 servfail"}},
		"a wildcard":                 {"dns.nxdomain", wrong("nobody-", answer("x. 5 IN A 192.0.2.1")), w1, []string{"to be NXDOMAIN", "answered x. 5 IN A 192.0.2.1"}},
		"a failure in place of a no": {"dns.nxdomain", wrong("nobody-", servfail), w1, []string{"servfail"}},
		"a pod short":                {"dns.headless", wrong("probe-headless", answer("x. 5 IN A 10.244.0.2", "x. 5 IN A 10.244.1.2")), w1, []string{"wrong answer"}},
		"no SRV":                     {"dns.srv", wrong("_udp", nxdomain), w1, []string{"_udp._udp.probe SRV over udp: 2 of 2 nxdomain", "tried tried.test."}},
		"the wrong port":             {"dns.srv", wrong("_http", answer("x. 5 IN SRV 0 100 8080 probe.ns.svc.cluster.local.")), w1, []string{"wrong answer"}},
		"no reverse zone":            {"dns.ptr", wrong("7.0.96.10", nxdomain), w1, []string{"PTR over udp: 2 of 2 nxdomain"}},
		"an alias that is none":      {"dns.external-name", wrong("external-", answer("x. 5 IN A "+serviceIP)), w1, []string{"CNAME probe.ns.svc.cluster.local and"}},
		"a large answer cut":         {"dns.large-answer", wrong("large-", job.Result{Sent: 1, Error: job.TimedOut, Message: "i/o timeout"}), w1, []string{"A over udp: 1 of 1 timed-out", "A over udp with EDNS 1232: 1 of 1 timed-out"}},
		"an upstream that fails":     {"dns.upstream-name", wrong("", servfail), w1, []string{"servfail"}},
		"one of two answers":         {"dns.parallel-a-aaaa", wrong("probe", job.Result{Sent: 1, Error: job.TimedOut, Message: "wait for AAAA"}), w1, []string{"32 pairs without: timed-out (wait for AAAA)"}},
		"one of two answers where a server is cut off": {"dns.parallel-a-aaaa", func(w *world) {
			wrong("probe", job.Result{Sent: 1, Error: job.TimedOut, RCode: "NOERROR", Message: "wait for AAAA"})(w)
			w.block("w2")
		}, w1, nil},
		"a lookup lost":                {"dns.loss", wrong("probe", job.Result{Sent: 200, Received: 199, Error: job.TimedOut, Message: "i/o timeout"}), w1, []string{"wanted 200 lookups answered, observed 199"}},
		"a server out of a node's way": {"dns.replicas-from-every-node", cutReplica, []string{"failed cp w1"}, []string{"10.244.1.53:53 over udp: 1 of 1 timed-out", "coredns-w1"}},
		"no domain to ask for": {"dns.fqdn", func(w *world) {
			resolves(w, func(_ probe.Pod, j job.Job) *job.Result {
				if j.Kind == job.File {
					return &job.Result{OK: true, Text: "nameserver 10.96.0.10\n"}
				}
				return nil
			})
		}, []string{"inconclusive"}, []string{"does not tell the cluster's domain"}},
		"lost where a server is cut off": {"dns.fqdn", func(w *world) {
			wrong("probe", job.Result{Sent: 1, Error: job.TimedOut, Message: "i/o timeout"})(w)
			w.block("w2")
		}, []string{"inconclusive w1"}, []string{"coredns-w2", "which is not judged"}},
		"no name outside": {"dns.upstream-name", func(w *world) {
			resolves(w, func(probe.Pod, job.Job) *job.Result { return nil })
			w.env.Cluster.Outside = nil
			w.env.EgressTargets = []string{"192.0.2.1:80"}
		}, []string{"not-applicable"}, []string{"-egress-target"}},
	})
}

// cutReplica loses what cp sends to the server on w1, at its own address.
func cutReplica(w *world) {
	resolves(w, func(from probe.Pod, j job.Job) *job.Result {
		if from.Node == "cp" && strings.HasPrefix(j.Address, "10.244.1.53:") {
			return lost(job.Job{})
		}
		return nil
	})
}

func TestDNSEndpoints(t *testing.T) {
	without := func(objects ...runtime.Object) func(*world) {
		return func(w *world) {
			resolves(w, func(probe.Pod, job.Job) *job.Result { return nil })
			w.objects = objects
		}
	}
	down := endpoint("w1", "coredns-w1")
	down.Conditions.Ready = new(false)
	run(t, map[string]faulty{
		"scaled to zero": {"dns.endpoints-ready", without(service("kube-system", "kube-dns", dnsIP)), []string{"failed"}, []string{"behind 10.96.0.10 of Service kube-system/kube-dns", "no endpoint at all"}},
		"none ready": {
			"dns.endpoints-ready", without(service("kube-system", "kube-dns", dnsIP), endpoints("kube-system", "kube-dns", []discoveryv1.Endpoint{down})),
			[]string{"failed"}, []string{"1 that are not ready: kube-system/coredns-w1"},
		},
		"no Service": {"dns.endpoints-ready", without(), []string{"failed"}, []string{"pods have nameserver 10.96.0.10"}},
		"a DNS that is no Service": {"dns.endpoints-ready", func(w *world) {
			without()(w)
			w.env.Cluster.ServiceCIDRs = []netip.Prefix{netip.MustParsePrefix("10.100.0.0/16")}
		}, []string{"not-applicable"}, []string{"pods ask 10.96.0.10"}},
	})
}

func TestPodResolvConf(t *testing.T) {
	file := func(node, namespace, text string) func(*world) {
		return func(w *world) {
			resolves(w, func(from probe.Pod, j job.Job) *job.Result {
				if _, own := policies.Load(from.Name); j.Kind != job.File || from.Node != node || from.Namespace != namespace || own {
					return nil
				}
				return &job.Result{OK: true, Text: text}
			})
		}
	}
	id := "dns.pod-resolv-conf"
	run(t, map[string]faulty{
		"another nameserver":    {id, file("w1", "ns", strings.Replace(resolvConf("ns"), "0.10\n", "0.99\n", 1)), []string{"failed w1"}, []string{"nameserver [10.96.0.10] of Service kube-system/kube-dns", "observed nameserver 10.96.0.99"}},
		"a cache on the node":   {id, file("w1", "ns", strings.Replace(resolvConf("ns"), "10.96.0.10", "169.254.20.10", 1)), nil, nil},
		"another domain":        {id, file("w2", "ns", strings.ReplaceAll(resolvConf("ns"), "cluster.local", "wrong.local")), []string{"failed w2"}, []string{"the cluster domain cluster.local"}},
		"no ndots":              {id, file("w2", "ns-host", strings.Replace(resolvConf("ns-host"), "options ndots:5\n", "", 1)), []string{"failed w2"}, []string{"option ndots:5"}},
		"Default on the host":   {id, file("cp", "ns-host", "nameserver 172.18.0.1\n"), []string{"failed cp"}, []string{"search ns-host.svc.cluster.local svc.cluster.local cluster.local first"}},
		"the wrong search list": {id, file("w1", "ns", strings.Replace(resolvConf("ns"), "ns.svc.", "other.svc.", 1)), []string{"failed w1"}, []string{"search ns.svc.cluster.local"}},
	})
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// TestLossIsMeasured looks at the figure, not the outcome.
func TestLossIsMeasured(t *testing.T) {
	w := newWorld()
	resolves(w, func(_ probe.Pod, j job.Job) *job.Result {
		if j.ID != "lookups" {
			return nil
		}
		r := &job.Result{OK: true, Sent: 200, Received: 200}
		for i := range 200 {
			r.Took = append(r.Took, ms(200-i))
		}
		return r
	})
	if err := w.run(t, "dns.loss"); err != nil {
		t.Fatal(err)
	}
	want := check.Measurement{Name: "DNS lookup p99", Node: "cp", Value: 198, Unit: "ms"}
	if len(w.measured) != 3 || w.measured[0] != want {
		t.Errorf("measured %+v, wanted %+v of each node", w.measured, want)
	}
}
