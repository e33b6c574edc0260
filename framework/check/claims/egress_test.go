// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"net/netip"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
)

const outside = "172.18.0.9"

var nodeIPs = map[string]string{"cp": "172.18.0.2", "w1": "172.18.0.3", "w2": "172.18.0.4"}

// hasOutside puts the outside beside the nodes; it sees a pod with the address
// that seen returns, and fault answers in its stead.
func hasOutside(w *world, seen func(probe.Pod) string, fault func(from probe.Pod, j job.Job) *job.Result) {
	for i := range w.env.Cluster.Nodes {
		n := &w.env.Cluster.Nodes[i]
		n.InternalIPs = []netip.Addr{netip.MustParseAddr(nodeIPs[n.Name])}
	}
	w.env.Cluster.CNI.DaemonSet = "kube-flannel-ds"
	agent := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-flannel", Name: "kube-flannel-ds"}}
	agent.Spec.Template.Spec.Containers = []corev1.Container{{Args: []string{"--ip-masq", "--kube-subnet-mgr"}}}
	w.objects = append(w.objects, agent)
	w.env.Cluster.ServiceCIDRs = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	w.env.Cluster.PodCIDRs = []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}
	w.env.Cluster.Outside = &cluster.Outside{Addrs: []netip.Addr{netip.MustParseAddr(outside)}, Zone: "outside.test"}
	w.env.EgressTargets = []string{"tcp://" + outside + ":8081", "udp://" + outside + ":8082", "http://" + outside + ":80", "https://" + outside + ":443", "dns://" + outside + ":53"}
	w.fault = func(from probe.Pod, j job.Job) *job.Result {
		if r := fault(from, j); r != nil {
			return r
		}
		return &job.Result{OK: true, Sent: 1, Received: 1, RCode: "NOERROR", Peers: []job.Echo{{Hostname: "outside", Client: seen(from) + ":40000"}}}
	}
}

func itsNode(from probe.Pod) string { return nodeIPs[from.Node] }

func nothing(probe.Pod, job.Job) *job.Result { return nil }

func TestEgressPassesWhereItWorks(t *testing.T) {
	for _, id := range []string{"egress.tcp", "egress.udp", "egress.http", "egress.https", "egress.dns", "egress.proxy", "egress.source-address"} {
		w := newWorld()
		hasOutside(w, itsNode, nothing)
		if err := w.run(t, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		w = newWorld()
		expect(t, w.run(t, id), []string{"not-applicable"}, "name one with -egress-")
	}
}

// from1 answers jobs of w1 whose address has the suffix.
func from1(suffix string, answer job.Result) func(*world) {
	return func(w *world) {
		hasOutside(w, itsNode, func(from probe.Pod, j job.Job) *job.Result {
			if from.Node != "w1" || !strings.HasSuffix(j.Address, suffix) {
				return nil
			}
			return &answer
		})
	}
}

func TestEgressFaults(t *testing.T) {
	out := job.Result{Sent: 1, Error: job.TimedOut, Message: "i/o timeout"}
	status := func(code int) job.Result {
		return job.Result{Sent: 1, Error: job.HTTPStatus, Status: code, Message: "GET: status"}
	}
	w1 := []string{"failed w1"}
	run(t, map[string]faulty{
		"TCP":                    {"egress.tcp", from1(":8081", out), w1, []string{"tcp://172.18.0.9:8081: timed-out"}},
		"UDP":                    {"egress.udp", from1(":8082", out), w1, []string{"udp://172.18.0.9:8082: timed-out"}},
		"UDP that is no echo":    {"egress.udp", from1(":8082", job.Result{Sent: 1, Error: job.Mismatch}), nil, nil},
		"HTTP":                   {"egress.http", from1(":80", out), w1, []string{"http://172.18.0.9:80: timed-out"}},
		"a page that is not":     {"egress.http", from1(":80", status(404)), nil, nil},
		"a gateway without":      {"egress.http", from1(":80", status(504)), w1, []string{"http-status"}},
		"HTTPS":                  {"egress.https", from1(":443", job.Result{Sent: 1, Error: job.TLS, Message: "handshake"}), w1, []string{"tls (handshake)"}},
		"DNS":                    {"egress.dns", from1(":53", out), w1, []string{"over udp: timed-out", "over tcp: timed-out"}},
		"DNS that refuses":       {"egress.dns", from1(":53", job.Result{Sent: 1, Error: job.DNSRefused, RCode: "REFUSED"}), nil, nil},
		"the proxy out of reach": {"egress.proxy", from1(":3128", out), w1, []string{"the network does not let the pod reach the proxy: timed-out"}},
		"a proxy that refuses":   {"egress.proxy", from1(":80", job.Result{Sent: 1, Error: job.ProxyFailed, Message: "403"}), w1, []string{"the proxy is reached and does not get there: proxy (403)"}},
		"Services not exempt": {"egress.proxy", func(w *world) {
			hasOutside(w, itsNode, nothing)
			w.env.EgressProxy, w.env.EgressNoProxy = "http://proxy.corp.test:3128", "10.244.0.0/16,.svc"
		}, []string{"failed"}, []string{"it sends 10.96.0.1 to the proxy: 10.244.0.0/16,.svc"}},
		"only UDP named": {"egress.tcp", func(w *world) {
			hasOutside(w, itsNode, nothing)
			w.env.EgressTargets = w.env.EgressTargets[1:2]
		}, []string{"not-applicable"}, []string{"a target of its kind"}},
		"the pod's own address": {"egress.source-address", func(w *world) {
			hasOutside(w, func(from probe.Pod) string { return from.IPs[0] }, nothing)
		}, []string{"failed cp", "failed w1", "failed w2"}, []string{"as flannel runs with --ip-masq", "saw the pod's own address 10.244.1.2"}},
		"the pod's own address, routed": {"egress.source-address", func(w *world) {
			hasOutside(w, func(from probe.Pod) string { return from.IPs[0] }, nothing)
			w.env.Cluster.CNI.Kind = "calico"
		}, nil, nil},
		"another node's address": {"egress.source-address", func(w *world) {
			hasOutside(w, func(probe.Pod) string { return nodeIPs["w2"] }, nothing)
		}, []string{"failed cp", "failed w1"}, []string{"saw 172.18.0.4"}},
		"nobody answers": {"egress.source-address", func(w *world) {
			hasOutside(w, itsNode, func(from probe.Pod, j job.Job) *job.Result {
				if from.Node == "w1" {
					return &out
				}
				return nil
			})
		}, []string{"inconclusive w1"}, []string{"no target said whom it saw"}},
		"a gateway between": {"egress.source-address", func(w *world) {
			hasOutside(w, func(probe.Pod) string { return "198.51.100.7" }, nothing)
			w.env.Cluster.Outside = nil
		}, []string{"not-applicable cp", "not-applicable w1", "not-applicable w2"}, []string{"198.51.100.7"}},
	})
}

// TestProxyIsHonoured looks at what pods are told to do.
func TestProxyIsHonoured(t *testing.T) {
	through := map[string]string{}
	w := newWorld()
	hasOutside(w, itsNode, func(from probe.Pod, j job.Job) *job.Result {
		if from.Node == "cp" {
			through[j.ID] = j.Proxy
		}
		return nil
	})
	w.env.EgressProxy, w.env.EgressNoProxy = "http://10.9.9.9:3128", "172.18.0.0/16"
	w.env.EgressTargets = []string{"http://172.18.0.9", "http://192.0.2.80", "https://192.0.2.80"}
	for _, id := range []string{"egress.http", "egress.https"} {
		if err := w.run(t, id); err != nil {
			t.Error(err)
		}
	}
	for id, want := range map[string]string{"http://172.18.0.9:80": "", "http://192.0.2.80:80": "http://10.9.9.9:3128", "https://192.0.2.80:443": "http://10.9.9.9:3128"} {
		if got, asked := through[id]; !asked || got != want {
			t.Errorf("%s through %q, wanted %q", id, got, want)
		}
	}
	expect(t, w.run(t, "egress.tcp"), []string{"not-applicable"})
}
