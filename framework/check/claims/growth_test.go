// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	kubetesting "k8s.io/client-go/testing"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
)

// cost is what a check asked of a cluster.
type cost struct {
	// requests to the API server, commands on nodes, batches of jobs for probes,
	// and jobs in them.
	requests, commands, batches, jobs int
	// memory is the heap in use at the end, in bytes.
	memory uint64
	took   time.Duration
}

// most is the largest heap a run of 1000 nodes may hold.
const most = 300 << 20

// TestCostGrowsWithNodes lets every check make one attempt on made-up clusters
// of 10, 100 and 1000 nodes, and counts. What the checks conclude is not looked
// at here; that each one asks something is.
func TestCostGrowsWithNodes(t *testing.T) {
	sizes := []int{10, 100, 1000}
	if testing.Short() {
		sizes = sizes[:2]
	}
	usual := watch.DefaultChanSize
	t.Cleanup(func() { watch.DefaultChanSize = usual })
	watch.DefaultChanSize = 10000 // the fake API server panics where a watch is behind by more
	costs := map[string][]cost{}
	for _, n := range sizes {
		w := newLargeWorld(n)
		for _, c := range check.Default.Checks() {
			spent := w.spend(t, c)
			costs[c.ID] = append(costs[c.ID], spent)
			if spent.memory > most {
				t.Errorf("%s on %d nodes: %d MB in use, wanted at most %d", c.ID, n, spent.memory>>20, most>>20)
			}
		}
	}
	for _, c := range check.Default.Checks() {
		for i := range sizes[1:] {
			few, many := costs[c.ID][i], costs[c.ID][i+1]
			growth := sizes[i+1] / sizes[i]
			for what, pair := range map[string][2]int{
				"requests": {few.requests, many.requests}, "commands": {few.commands, many.commands},
				"batches": {few.batches, many.batches}, "jobs": {few.jobs, many.jobs},
			} {
				// A handful is allowed for what does not depend on nodes, and a tenth
				// for pairs that a small cluster draws twice.
				if float64(pair[1]) > 1.1*float64(growth*(pair[0]+5)) {
					t.Errorf("%s: %s grow faster than nodes: %d for %d nodes, %d for %d", c.ID, what, pair[0], sizes[i], pair[1], sizes[i+1])
				}
			}
		}
		t.Logf("%-34s %+v", c.ID, costs[c.ID])
		if last := costs[c.ID][len(sizes)-1]; last.requests+last.commands+last.batches == 0 && !silent[c.ID] {
			t.Errorf("%s asked nothing of the cluster: its cost is not measured here", c.ID)
		}
	}
}

// silent are the checks that judge by what others measured or by what is known
// of every cluster, and those that this cluster gives no reason to ask.
var silent = map[string]bool{
	"cni.version-skew": true, "sandbox.latency-alike": true, "mtu.headers": true, "audit.proxy": true,
	"service.load-balancer": true, // asks only with -load-balancer
}

// large is a world of many nodes that counts what is asked of it.
type large struct {
	*world
	requests, commands, batches, jobs atomic.Int64
	client                            *fake.Clientset
	place                             map[string]probe.Pod // by address
}

func newLargeWorld(n int) *large {
	w := &large{world: newWorld(), place: map[string]probe.Pod{}}
	w.env.Cluster.Nodes, w.objects = nil, nil
	w.env.Cluster.Access = nodes{w}
	w.env.Cluster.Families = []corev1.IPFamily{corev1.IPv4Protocol}
	w.env.Cluster.Config = &rest.Config{Host: "http://127.0.0.1:1"} // nothing listens there
	w.env.Cluster.Outside = &cluster.Outside{Addrs: []netip.Addr{netip.MustParseAddr("172.18.200.1")}, Zone: "outside.test"}
	w.env.Cluster.PodCIDRs = []netip.Prefix{netip.MustParsePrefix("10.64.0.0/10")}
	w.env.Cluster.ServiceCIDRs = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	w.env.EgressProxy = "http://172.18.200.1:3128"
	for _, scheme := range []string{"tcp", "udp", "http", "https", "dns"} {
		w.env.EgressTargets = append(w.env.EgressTargets, scheme+"://172.18.200.1:80")
	}
	w.env.Figures = func(id string) []check.Measurement {
		if id == "policy.enforced" {
			return []check.Measurement{{Name: "NetworkPolicy enforced", Value: 1, Unit: "count"}}
		}
		return nil
	}
	clear(w.env.Pods)
	clear(w.env.HostPods)
	var slice, dns []discoveryv1.Endpoint
	for i := range n {
		name := fmt.Sprintf("n%04d", i)
		podCIDR := fmt.Sprintf("10.%d.%d", 64+i/256, i%256)
		host := fmt.Sprintf("172.18.%d.%d", 1+i/250, 1+i%250)
		w.env.Cluster.Nodes = append(w.env.Cluster.Nodes, cluster.Node{
			Name: name, OS: "linux", Ready: true, ControlPlane: i == 0, Zone: fmt.Sprintf("z%d", i%3),
			PodCIDRs: []netip.Prefix{netip.MustParsePrefix(podCIDR + ".0/24")}, InternalIPs: []netip.Addr{netip.MustParseAddr(host)},
		})
		w.env.Pods[name] = probe.Pod{Namespace: "ns", Name: "probe-" + name, Node: name, IPs: []string{podCIDR + ".2"}}
		w.env.HostPods[name] = probe.Pod{Namespace: "ns-host", Name: "host-" + name, Node: name, HostNetwork: true, IPs: []string{host}}
		w.place[podCIDR+".2"], w.place[host] = w.env.Pods[name], w.env.HostPods[name]
		slice = append(slice, endpoint(name, "probe-"+name))
		if i < 2 {
			dns = append(dns, endpoint(name, "coredns-"+name))
		}
		w.objects = append(w.objects,
			&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}},
			runningPod("kube-flannel", "flannel-"+name, name, ""), runningPod("ns", "probe-"+name, name, podCIDR+".2"))
	}
	w.env.Nodes = w.env.Cluster.Nodes
	w.objects = append(w.objects, service("ns", "probe", serviceIP), endpoints("ns", "probe", slice), service("kube-system", "kube-dns", dnsIP), endpoints("kube-system", "kube-dns", dns))
	// Nobody applies anything here: NewClientset, which could, makes a REST mapper for
	// every pod, two thirds of this test's time.
	w.client = fake.NewSimpleClientset(w.objects...)
	w.client.PrependReactor("*", "*", func(kubetesting.Action) (bool, kuberuntime.Object, error) {
		w.requests.Add(1)
		return false, nil, nil
	})
	w.client.PrependReactor("create", "pods", w.start)
	w.env.Cluster.Client = w.client
	return w
}

// start makes a created pod run at once, at an address of its node.
func (w *large) start(action kubetesting.Action) (bool, kuberuntime.Object, error) {
	pod := action.(kubetesting.CreateAction).GetObject().(*corev1.Pod)
	started := runningPod(pod.Namespace, pod.Name, pod.Spec.NodeName, "10.250.0.9")
	pod.Status, pod.UID = started.Status, types.UID(pod.Name)
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue},
		{Type: corev1.PodReady, Status: corev1.ConditionTrue}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
	}
	return false, nil, nil
}

// spend makes one attempt of the check and returns what it asked.
func (w *large) spend(t *testing.T, c check.Check) cost {
	for _, counter := range []*atomic.Int64{&w.requests, &w.commands, &w.batches, &w.jobs} {
		counter.Store(0)
	}
	env := *w.env
	env.Probe = w
	env.Record = func(check.Measurement) {}
	var mu sync.Mutex
	var removals []func(context.Context) error
	env.Cleanup = func(_ string, remove func(context.Context) error) {
		mu.Lock()
		defer mu.Unlock()
		removals = append(removals, remove)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	start := time.Now()
	_ = c.Run(ctx, &env)
	took := time.Since(start)
	for _, remove := range slices.Backward(removals) {
		_ = remove(ctx)
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return cost{int(w.requests.Load()), int(w.commands.Load()), int(w.batches.Load()), int(w.jobs.Load()), memory.HeapAlloc, took}
}

// Run counts, and has every packet pass.
func (w *large) Run(_ context.Context, from probe.Pod, jobs []job.Job) ([]job.Result, error) {
	w.batches.Add(1)
	w.jobs.Add(int64(len(jobs)))
	results := make([]job.Result, len(jobs))
	for i, j := range jobs {
		n := max(j.Count, 1)
		results[i] = job.Result{ID: j.ID, OK: true, Sent: n, Received: n, Took: slices.Repeat([]time.Duration{time.Millisecond}, n), PathMTU: 1450}
		if address, err := netip.ParseAddrPort(j.Address); err == nil {
			if to, ok := w.place[address.Addr().String()]; ok {
				results[i].Peers = []job.Echo{{Pod: to.Name, Node: to.Node, Client: from.IPs[0] + ":40000"}}
			}
		}
	}
	return results, nil
}

// nodes is the node access of a large world: it counts and has nothing to say.
type nodes struct{ *large }

func (n nodes) Run(context.Context, string, cluster.Command) (cluster.Output, error) {
	n.commands.Add(1)
	return cluster.Output{}, nil
}

func (nodes) Describe(node string, argv []string) string { return fmt.Sprint(node, argv) }
