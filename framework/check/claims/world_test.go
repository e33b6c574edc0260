// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/probe"
)

// world is a made-up cluster for checks to look at: nodes cp, w1 and w2 with a
// probe pod and a probe on the host network each, whose network passes every
// packet but for those that fault says something else of.
type world struct {
	env     *check.Env
	objects []runtime.Object
	// fault answers a job in the network's stead; nil leaves it to the network.
	fault func(from probe.Pod, j job.Job) *job.Result
	// serve starts what answers the checks beside the API server; nil is nothing.
	serve func(*fake.Clientset)
	mu    sync.Mutex
	// turn is what the next connection to the Service is balanced by.
	turn int
	// measured is what was recorded.
	measured []check.Measurement
	// figures are those of checks that ran before, by their ID.
	figures map[string][]check.Measurement
	// requests are those made of the API server, as "verb resource".
	requests []string
}

const serviceIP, dnsIP = "10.96.0.7", "10.96.0.10"

var nodeNames = []string{"cp", "w1", "w2"}

func newWorld() *world {
	w := &world{env: &check.Env{
		Timeouts: config.DefaultTimeouts(),
		Cluster:  &cluster.Cluster{CNI: cluster.CNI{Kind: "flannel", Namespace: "kube-flannel", Selector: "app=flannel"}},
		RunID:    "run", Namespace: "ns", HostNamespace: "ns-host", ProbeImage: "probe:1",
		Pods: map[string]probe.Pod{}, HostPods: map[string]probe.Pod{},
	}}
	var slice, dns []discoveryv1.Endpoint
	for i, name := range nodeNames {
		w.env.Cluster.Nodes = append(w.env.Cluster.Nodes, cluster.Node{
			Name: name, OS: "linux", Ready: true, ControlPlane: name == "cp",
			PodCIDRs: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", i))},
		})
		w.env.Pods[name] = probe.Pod{Namespace: "ns", Name: "probe-" + name, Node: name, IPs: []string{fmt.Sprintf("10.244.%d.2", i)}}
		w.env.HostPods[name] = probe.Pod{Namespace: "ns-host", Name: "host-" + name, Node: name, HostNetwork: true, IPs: []string{fmt.Sprintf("172.18.0.%d", i+2)}}
		slice = append(slice, endpoint(name, "probe-"+name))
		if name != "cp" {
			dns = append(dns, endpoint(name, "coredns-"+name))
		}
		w.objects = append(w.objects, runningPod("kube-flannel", "flannel-"+name, name, ""), runningPod("ns", "probe-"+name, name, fmt.Sprintf("10.244.%d.2", i)))
	}
	w.env.Nodes = w.env.Cluster.Nodes
	w.objects = append(w.objects, service("ns", "probe", serviceIP), endpoints("ns", "probe", slice), service("kube-system", "kube-dns", dnsIP), endpoints("kube-system", "kube-dns", dns))
	return w
}

func endpoint(node, pod string) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{NodeName: &node, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod}}
}

func service(namespace, name, ip string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{ClusterIP: ip, ClusterIPs: []string{ip}}}
	if name == "kube-dns" {
		s.Labels = map[string]string{"k8s-app": "kube-dns"}
	}
	return s
}

func endpoints(namespace, name string, list []discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: list,
	}
}

// runningPod is on the host network when it has no address.
func runningPod(namespace, name, node, ip string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{NodeName: node, HostNetwork: ip == ""}}
	if namespace == "kube-flannel" {
		p.Labels = map[string]string{"app": "flannel"}
	}
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "c", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(time.Now().Add(-time.Hour))}},
	}}}
	if ip != "" {
		p.Status.PodIP, p.Status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
	}
	return p
}

// pod is the object of that name, to be changed before the check runs.
func (w *world) pod(name string) *corev1.Pod {
	for _, o := range w.objects {
		if p, ok := o.(*corev1.Pod); ok && p.Name == name {
			return p
		}
	}
	panic("no pod " + name)
}

// block takes the node out of those to judge, as a failed prerequisite does.
func (w *world) block(node string) {
	w.env.Nodes = slices.DeleteFunc(slices.Clone(w.env.Nodes), func(n cluster.Node) bool { return n.Name == node })
}

// only leaves one node in the cluster.
func (w *world) only(node string) {
	w.block("")
	w.env.Nodes = slices.DeleteFunc(w.env.Nodes, func(n cluster.Node) bool { return n.Name != node })
	w.env.Cluster.Nodes = w.env.Nodes
	w.env.Pods = map[string]probe.Pod{node: w.env.Pods[node]}
	w.env.HostPods = map[string]probe.Pod{node: w.env.HostPods[node]}
}

// Run makes world a probe.Runner.
func (w *world) Run(_ context.Context, from probe.Pod, jobs []job.Job) ([]job.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var results []job.Result
	for _, j := range jobs {
		var r *job.Result
		if w.fault != nil {
			r = w.fault(from, j)
		}
		if r == nil {
			r = w.network(from, j)
		}
		r.ID = j.ID
		results = append(results, *r)
	}
	return results, nil
}

// network is a network that works.
func (w *world) network(from probe.Pod, j job.Job) *job.Result {
	n := max(j.Count, 1)
	r := &job.Result{OK: true, Sent: n, Received: n, Took: slices.Repeat([]time.Duration{time.Millisecond}, n), PathMTU: 1450}
	host, _, _ := strings.Cut(j.Address, ":")
	switch {
	case j.Kind == job.DNS:
		r.Server, r.Answers = dnsIP, []string{"probe.ns.svc.cluster.local. 5 IN A " + serviceIP}
	case j.Kind == job.Links:
		r.Links = []job.Link{{Name: "lo", MTU: 65536, Addresses: []string{"127.0.0.1/8"}}, {Name: "eth0", MTU: 1450, Addresses: []string{from.IPs[0] + "/24"}}}
	case j.Kind == job.PathMTU && (j.Size > 1450 || j.Beyond > 0):
		*r = job.Result{Sent: 1, Error: job.MessageSize, Message: "sendto: message too long"}
	case host == serviceIP:
		for range n {
			node := w.env.Cluster.Nodes[w.turn%len(w.env.Cluster.Nodes)].Name
			w.turn++
			r.Peers = append(r.Peers, job.Echo{Pod: "probe-" + node, Node: node})
		}
	default:
		for _, pods := range []map[string]probe.Pod{w.env.Pods, w.env.HostPods} {
			for _, p := range pods {
				if p.IPs[0] == host {
					r.Peers = []job.Echo{{Pod: p.Name, Node: p.Node, Client: from.IPs[0] + ":40000"}}
				}
			}
		}
	}
	return r
}

func lost(j job.Job) *job.Result {
	return &job.Result{Sent: max(j.Count, 1), Error: job.TimedOut, Message: "i/o timeout"}
}

// run makes one attempt of the check.
func (w *world) run(t *testing.T, id string) error {
	t.Helper()
	c, ok := check.Default.Lookup(id)
	if !ok {
		t.Fatalf("no check %s", id)
	}
	client := fake.NewClientset(w.objects...)
	w.env.Cluster.Client = client
	if w.serve != nil {
		w.serve(client)
	}
	w.env.Probe = w
	w.env.Record = func(m check.Measurement) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.measured = append(w.measured, m)
	}
	w.env.Figures = func(id string) []check.Measurement { return w.figures[id] }
	w.env.Cleanup = func(string, func(context.Context) error) {}
	err := c.Run(t.Context(), w.env)
	for _, a := range client.Actions() {
		w.requests = append(w.requests, a.GetVerb()+" "+a.GetResource().Resource)
	}
	return err
}

// faulty is a world with a fault and what a check is to say of it: outcomes that
// name the fault's node and no other, and words.
type faulty struct {
	check string
	given func(*world)
	want  []string
	says  []string
}

func run(t *testing.T, cases map[string]faulty) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			if c.given != nil {
				c.given(w)
			}
			expect(t, w.run(t, c.check), c.want, c.says...)
		})
	}
}

// outcomes are the outcomes in an error tree, as "failed node peer",
// "inconclusive node" and "not-applicable node", sorted; text is all they say.
func outcomes(err error) (found []string, text string) {
	var walk func(error)
	walk = func(err error) {
		var word string
		switch e := err.(type) {
		case nil:
			return
		case *check.Failure:
			word = "failed " + e.Node + " " + e.Peer
		case *check.Inconclusive:
			word = "inconclusive " + e.Node
		case *check.NotApplicable:
			word = "not-applicable " + e.Node
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
			return
		default:
			if inner := errors.Unwrap(err); inner != nil {
				walk(inner)
				return
			}
			word = fmt.Sprintf("untyped %T", err)
		}
		found = append(found, strings.TrimSpace(word))
	}
	walk(err)
	slices.Sort(found)
	if err != nil {
		text = err.Error()
	}
	return found, text
}

// expect compares what a check said with the outcomes wanted and with words
// that must be in it.
func expect(t *testing.T, err error, want []string, says ...string) {
	t.Helper()
	got, text := outcomes(err)
	if !slices.Equal(got, want) {
		t.Errorf("outcomes %q\nwanted   %q\n%s", got, want, text)
	}
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("nothing says %q:\n%s", s, text)
		}
	}
}
