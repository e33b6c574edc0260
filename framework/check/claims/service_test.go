// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
)

// serviceIPs are the ClusterIPs of the Services over the probe pods.
var serviceIPs = map[string]string{
	workloads.AppPod: serviceIP, workloads.NamedPorts: "10.96.1.1", workloads.MultiPort: "10.96.1.2",
	workloads.NodePort: "10.96.1.3", workloads.NodePortLocal: "10.96.1.4", workloads.NodePortOne: "10.96.1.5",
	workloads.Affine: "10.96.1.6", workloads.Internal: "10.96.1.7", workloads.Empty: "10.96.1.8", workloads.Followed: "10.96.1.9",
	workloads.OneNumber: "10.96.1.10",
	"kubernetes":        "10.96.0.1",
}

// nodePorts are the node ports of Services, for TCP; that for UDP is the next.
var nodePorts = map[string]int32{workloads.NodePort: 30010, workloads.NodePortLocal: 30020, workloads.NodePortOne: 30030}

// withServices is a world with every Service over the probe pods. break answers
// a job at a Service in its stead; nil leaves it to the Service.
func withServices(breaks func(from probe.Pod, service string, j job.Job) *job.Result) func(*world) {
	return func(w *world) {
		var all []discoveryv1.Endpoint
		for i, name := range nodeNames {
			w.env.Cluster.Nodes[i].InternalIPs = []netip.Addr{netip.MustParseAddr("172.18.0." + strconv.Itoa(i+2))}
			e := endpoint(name, "probe-"+name)
			e.Addresses = w.env.Pods[name].IPs
			all = append(all, e)
			agent := runningPod("kube-system", "kube-proxy-"+name, name, "")
			agent.Labels = map[string]string{"k8s-app": "kube-proxy"}
			w.objects = append(w.objects, agent)
		}
		w.objects = append(w.objects, endpoints("ns", workloads.Headless, all))
		for name, ip := range serviceIPs {
			if name == workloads.AppPod {
				continue
			}
			s := service("ns", name, ip)
			if name == "kubernetes" {
				s.Namespace, s.Spec.Ports = "default", []corev1.ServicePort{{Port: 443}}
			}
			if port := nodePorts[name]; port != 0 {
				s.Spec.Ports = []corev1.ServicePort{{Name: "tcp", NodePort: port}, {Name: "udp", NodePort: port + 1}}
			}
			w.objects = append(w.objects, s)
			if !slices.Contains([]string{workloads.Empty, workloads.Followed, workloads.NodePortOne, "kubernetes"}, name) {
				w.objects = append(w.objects, endpoints("ns", name, all))
			}
		}
		w.fault = func(from probe.Pod, j job.Job) *job.Result {
			name := serviceOf(j)
			if breaks != nil {
				if r := breaks(from, name, j); r != nil {
					return r
				}
			}
			return w.answer(from, name, j)
		}
		w.env.Here = w
	}
}

// serviceOf is the Service that the job is for, by its address or its port.
func serviceOf(j job.Job) string {
	host, port, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(j.Address, "http://"), "https://"), ":")
	for name, ip := range serviceIPs {
		if ip == host {
			return name
		}
	}
	for name, n := range nodePorts {
		if p, _, _ := strings.Cut(port, "/"); p == strconv.Itoa(int(n)) || p == strconv.Itoa(int(n)+1) {
			return name
		}
	}
	return ""
}

// answer is what a Service that is well does.
func (w *world) answer(from probe.Pod, name string, j job.Job) *job.Result {
	n := max(j.Count, 1)
	r := &job.Result{OK: true, Sent: n, Received: n}
	client := "10.244.9.9:40000"
	if from.Name == "" {
		client = "172.18.0.1:40000"
	}
	by := func(node string) {
		r.Peers = append(r.Peers, job.Echo{Pod: "probe-" + node, Node: node, Client: client})
	}
	at, _, _ := strings.Cut(j.Address, ":")
	node := ""
	for _, host := range w.env.HostPods {
		if host.IPs[0] == at {
			node = host.Node
		}
	}
	switch name {
	case workloads.AppPod, workloads.NamedPorts, workloads.MultiPort, workloads.OneNumber, workloads.NodePort:
		for range n {
			by(nodeNames[w.turn%len(nodeNames)])
			w.turn++
		}
	case workloads.Affine:
		by("cp")
	case workloads.Internal:
		by(from.Node)
	case workloads.NodePortLocal:
		by(node)
	case workloads.NodePortOne:
		if node != "cp" {
			return lost(j)
		}
		by(node)
	case workloads.Empty:
		return &job.Result{Sent: 1, Error: job.Refused, Message: "connection refused"}
	case "":
		if from.Name != "" {
			return nil // not at a Service
		}
		r.Peers = []job.Echo{{Pod: "host-" + node, Node: node, Client: client}}
	}
	return r
}

// onNode breaks what clients on a node ask of a Service.
func onNode(node, broken string, what func(job.Job) *job.Result) func(probe.Pod, string, job.Job) *job.Result {
	return func(from probe.Pod, name string, j job.Job) *job.Result {
		if from.Node == node && name == broken {
			return what(j)
		}
		return nil
	}
}

func by(pods ...string) func(job.Job) *job.Result {
	return func(j job.Job) *job.Result {
		r := &job.Result{OK: true, Sent: max(j.Count, 1), Received: max(j.Count, 1)}
		for _, p := range pods {
			r.Peers = append(r.Peers, job.Echo{Pod: p, Client: "172.18.0.1:1"})
		}
		return r
	}
}

func TestServicesThatAreWell(t *testing.T) {
	for _, id := range []string{
		"service.from-host-network", "service.named-target-port", "service.multi-port", "service.session-affinity", "service.headless",
		"service.internal-traffic-policy-local", "service.no-endpoints-refused", "service.kubernetes-service", "service.endpoints-followed",
		"service.nodeport-cluster", "service.nodeport-local", "service.kube-proxy-healthy",
	} {
		w := newWorld()
		withServices(nil)(w)
		if err := w.run(t, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestServices shows the checks of Services one fault.
func TestServices(t *testing.T) {
	run(t, map[string]faulty{
		"a node's own network cut off": {
			check: "service.from-host-network", given: withServices(onNode("w1", workloads.AppPod, lost)),
			want: []string{"failed w1"}, says: []string{"none of 37 answered"},
		},
		"no host network": {
			check: "service.from-host-network", given: func(w *world) { w.env.HostPods, w.env.HostNamespace = nil, "" }, want: []string{"not-applicable"},
		},
		"a target port that nobody listens on": {
			check: "service.named-target-port", given: withServices(onNode("cp", workloads.NamedPorts, lost)), want: []string{"failed cp"}, says: []string{"http 10.96.1.1:80: none"},
		},
		"UDP led to the port for TCP": {
			check: "service.multi-port",
			given: withServices(func(from probe.Pod, name string, j job.Job) *job.Result {
				if name == workloads.MultiPort && j.Kind == job.UDP && from.Node == "w2" {
					return lost(j)
				}
				return nil
			}),
			want: []string{"failed w2"}, says: []string{"udp 10.96.1.2:82: none of 37"},
		},
		"UDP led to the number's port for TCP": {
			check: "service.one-number-two-protocols", given: withServices(onNode("w2", workloads.OneNumber, lost)),
			want: []string{"failed w2"}, says: []string{"udp 10.96.1.10:81: none of 37"},
		},
		"a Cilium that knows no protocols": {
			check: "service.one-number-two-protocols",
			given: func(w *world) { w.env.Cluster.CNI = cluster.CNI{Kind: "cilium", Version: "v1.15.19"} }, want: []string{"not-applicable"},
		},
		"no affinity": {
			check: "service.session-affinity", given: withServices(onNode("w2", workloads.Affine, by("probe-cp", "probe-w1"))),
			want: []string{"failed w2"}, says: []string{"tcp 10.96.1.6:81: probe-cp, probe-w1"},
		},
		"affinity that cannot be told": {check: "service.session-affinity", given: withServices(onNode("w2", workloads.Affine, lost)), want: []string{"inconclusive w2"}},
		"led to another node": {
			check: "service.internal-traffic-policy-local", given: withServices(onNode("cp", workloads.Internal, by("probe-cp", "probe-w2"))),
			want: []string{"failed cp"}, says: []string{"answered by probe-w2, which is not on cp"},
		},
		"dropped and not refused": {
			check: "service.no-endpoints-refused", given: withServices(onNode("cp", workloads.Empty, lost)),
			want: []string{"failed cp", "failed cp"}, says: []string{"nothing came back"},
		},
		"answered without endpoints": {
			check: "service.no-endpoints-refused", given: withServices(onNode("cp", workloads.Empty, by("ghost"))),
			want: []string{"failed cp", "failed cp"}, says: []string{"answered by ghost"},
		},
		"the API server out of reach": {
			check: "service.kubernetes-service", given: withServices(onNode("w1", "kubernetes", lost)), want: []string{"failed w1", "failed w1"}, says: []string{"https://10.96.0.1:443/livez"},
		},
		"an API server that refuses strangers": {
			check: "service.kubernetes-service", given: withServices(onNode("w1", "kubernetes", func(job.Job) *job.Result {
				return &job.Result{Sent: 9, Error: job.HTTPStatus, Message: "401 Unauthorized", Status: 401}
			})),
		},
		"an endpoint that one node does not follow": {
			check: "service.endpoints-followed",
			given: withServices(onNode("w1", workloads.Followed, func(j job.Job) *job.Result {
				return &job.Result{Sent: 40, Error: job.Refused, Message: "connection refused"}
			})),
			want: []string{"failed w1"}, says: []string{"endpoint added, probe-cp", "after 40 tries: refused"},
		},
		"a node port closed on one node": {
			check: "service.nodeport-cluster",
			given: withServices(func(from probe.Pod, name string, j job.Job) *job.Result {
				if name == workloads.NodePort && strings.HasPrefix(j.Address, "172.18.0.4:") && from.Node != "w2" {
					return lost(j)
				}
				return nil
			}),
			want: []string{"failed cp w2", "failed cp w2", "failed w1 w2", "failed w1 w2", "failed w2"}, says: []string{"udp 172.18.0.4:30011: none of 6", "from outside the cluster"},
		},
		"the harness inside the cluster": {
			check: "service.nodeport-local",
			given: withServices(func(from probe.Pod, name string, j job.Job) *job.Result {
				if from.Name == "" && name == "" {
					return &job.Result{OK: true, Peers: []job.Echo{{Pod: "host-cp", Client: "172.18.0.3:1"}}}
				}
				if from.Name == "" {
					return lost(j)
				}
				return nil
			}),
		},
		"the client's address hidden": {
			check: "service.nodeport-local",
			given: withServices(func(from probe.Pod, name string, j job.Job) *job.Result {
				if from.Name == "" && name == workloads.NodePortLocal && strings.HasPrefix(j.Address, "172.18.0.3:") {
					return &job.Result{OK: true, Sent: 1, Received: 1, Peers: []job.Echo{{Pod: "probe-w1", Client: "10.244.1.1:1"}}}
				}
				return nil
			}),
			want: []string{"failed w1"}, says: []string{"saw the client as 10.244.1.1, the node sees it as 172.18.0.1"},
		},
		"a node that answers without an endpoint": {
			check: "service.nodeport-local",
			given: withServices(func(from probe.Pod, name string, j job.Job) *job.Result {
				if name == workloads.NodePortOne {
					return by("probe-cp")(j)
				}
				return nil
			}),
			want: []string{"failed w1 cp", "failed w1 cp", "failed w2 cp", "failed w2 cp"}, says: []string{"only endpoint is on cp"},
		},
		"an endpoint that is missing": {
			check: "service.headless",
			given: func(w *world) {
				withServices(nil)(w)
				for _, o := range w.objects {
					if s, ok := o.(*discoveryv1.EndpointSlice); ok && s.Name == workloads.Headless {
						s.Endpoints = s.Endpoints[:2]
					}
				}
			},
			want: []string{"failed w2"}, says: []string{"2 endpoints, none of them"},
		},
		"kube-proxy that lags": {
			check: "service.kube-proxy-healthy",
			given: withServices(func(from probe.Pod, _ string, j job.Job) *job.Result {
				if from.Node == "w1" && strings.Contains(j.Address, ":10256/") {
					return &job.Result{Sent: 1, Error: job.HTTPStatus, Status: 503, Message: "503 Service Unavailable", Text: `{"lastUpdated": "x"}`}
				}
				return nil
			}),
			want: []string{"failed w1"}, says: []string{"503"},
		},
		"kube-proxy in a crash loop": {
			check: "service.kube-proxy-healthy",
			given: func(w *world) {
				withServices(nil)(w)
				w.pod("kube-proxy-w2").Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
			},
			want: []string{"failed w2"}, says: []string{"CrashLoopBackOff"},
		},
		"no kube-proxy to be seen": {
			check: "service.kube-proxy-healthy",
			given: func(w *world) {
				w.fault = func(_ probe.Pod, j job.Job) *job.Result { return &job.Result{Sent: 1, Error: job.Refused} }
			},
			want: []string{"not-applicable cp", "not-applicable w1", "not-applicable w2"},
		},
		"one family": {
			check: "service.dual-stack",
			given: func(w *world) {
				w.serve = func(c *fake.Clientset) {
					c.PrependReactor("create", "services", func(k8stesting.Action) (bool, runtime.Object, error) {
						return true, nil, apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "dual-stack", nil)
					})
				}
			},
			want: []string{"not-applicable"},
		},
		"two families, a Service with one": {check: "service.dual-stack", given: withServices(nil), want: []string{"failed"}, says: []string{"addresses [10.96.0.7]"}},
		"no leave for load balancers":      {check: "service.load-balancer", given: withServices(nil), want: []string{"not-applicable"}, says: []string{"-load-balancer"}},
	})
}
