// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

var mtuChecks = []string{"mtu.same-node", "mtu.path", "mtu.service", "mtu.host", "mtu.outside", "mtu.bulk-tcp", "mtu.headers", "mtu.agree"}

// device is an interface of a node of tunnelled.
type device struct {
	node, name string
	mtu        int
}

// tunnelled is a world whose nodes carry packets in VXLAN, but for the devices
// given, with a second pod on each and an outside.
func tunnelled(but ...device) *world {
	w := newWorld()
	w.env.Cluster.CNI.Backend = "vxlan"
	w.env.Cluster.Outside = &cluster.Outside{Addrs: []netip.Addr{netip.MustParseAddr("172.18.0.9")}}
	for i := range w.env.Cluster.Nodes {
		w.env.Cluster.Nodes[i].InternalIPs = []netip.Addr{netip.MustParseAddr(w.env.HostPods[nodeNames[i]].IPs[0])}
	}
	w.env.Nodes = w.env.Cluster.Nodes
	w.objects = append(w.objects, neighbours()...)
	w.fault = func(from probe.Pod, j job.Job) *job.Result {
		if j.Kind != job.Links || !from.HostNetwork {
			return nil
		}
		links := []job.Link{
			{Name: "flannel.1", MTU: 1450, Up: true, Addresses: []string{"10.244.0.0/32"}},
			{Name: "eth0", MTU: 1500, Up: true, Addresses: []string{from.IPs[0] + "/16"}},
		}
		for _, b := range but {
			if i := slices.IndexFunc(links, func(l job.Link) bool { return l.Name == b.name }); i >= 0 && b.node == from.Node {
				links[i].MTU, links[i].Up = b.mtu, b.mtu > 0
			}
		}
		return &job.Result{OK: true, Links: links}
	}
	return w
}

// neighbours are the second pods that a check before these has started.
func neighbours() []runtime.Object {
	var pods []runtime.Object
	for _, node := range nodeNames {
		h := fnv.New64a()
		h.Write([]byte(node))
		p := runningPod("ns", fmt.Sprintf("neighbour-%016x", h.Sum64()), node, "10.244.9.9")
		p.Labels = map[string]string{sandbox.NeighbourLabel: "true"}
		pods = append(pods, p)
	}
	return pods
}

func TestMTUsFit(t *testing.T) {
	for _, id := range mtuChecks {
		w := tunnelled()
		if err := w.run(t, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		figures := map[string]float64{}
		for _, m := range w.measured {
			figures[m.Name] = m.Value
		}
		for name, want := range map[string]map[string]float64{
			"mtu.headers": {"pod MTU": 1450, "tunnel MTU": 1450, "underlay MTU": 1500, "tunnel overhead": 50},
			"mtu.path":    {"path MTU to pod on other node": 1450}, "mtu.outside": {"path MTU to outside": 1450},
		}[id] {
			if figures[name] != want {
				t.Errorf("%s: figure %q is %v, wanted %v", id, name, figures[name], want)
			}
		}
	}
}

// lose has packets from a node to addresses that begin so lost when they are
// larger than size.
func (w *world) lose(node, prefix string, size int) {
	before := w.fault
	w.fault = func(from probe.Pod, j job.Job) *job.Result {
		large := j.Kind == job.Bulk || j.Kind == job.PathMTU && j.Beyond == 0 && (j.Size <= 0 || j.Size > size)
		if from.Node == node && strings.HasPrefix(j.Address, prefix) && (large || size == 0) {
			r := lost(j)
			if j.Kind == job.Bulk && size > 0 {
				r.Peers = []job.Echo{{Pod: "probe-w2", Node: "w2"}} // the greeting is small
			}
			return r
		}
		return before(from, j)
	}
}

func TestMTUs(t *testing.T) {
	losing := func(node, prefix string, size int) func(*world) {
		return func(w *world) { w.lose(node, prefix, size) }
	}
	mtu(t, map[string]faulty{
		"large packets lost": {
			check: "mtu.path", given: losing("cp", "10.244.2.", 1400), want: []string{"failed cp w2"},
			says: []string{"a pod on w2 at 10.244.2.2", "1 of 1 lost, one of 1400 bytes arrived: timed-out"},
		},
		"a dead path": {
			check: "mtu.path", given: losing("cp", "10.244.2.", 0), want: []string{"inconclusive cp"},
			says: []string{"small packets do not reach a pod on w2 at 10.244.2.2 either"},
		},
		"packets larger than the MTU delivered": {
			check: "mtu.path",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "w1" && j.Beyond == 1 {
						return &job.Result{OK: true, Sent: 1, Received: 1}
					}
					return nil
				}
			},
			want: []string{"failed w1 cp", "failed w1 w2"}, says: []string{"refused as too long, observed it was delivered"},
		},
		"a path that says what fits": {
			check: "mtu.path",
			given: func(w *world) { w.report("w1", 1400) },
			want:  []string{"failed w1 cp", "failed w1 w2"}, says: []string{"message-too-long"},
		},
		"a path that once said less": {
			check: "mtu.path",
			given: func(w *world) {
				before := w.fault
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "w1" && j.Kind == job.PathMTU && j.Size == job.LinkMTU && j.Beyond == 0 {
						return &job.Result{OK: true, Sent: 1, Received: 1, PathMTU: 1400}
					}
					return before(from, j)
				}
			},
		},
		"one node":             {check: "mtu.path", given: func(w *world) { w.only("cp") }, want: []string{"not-applicable"}},
		"a port of the bridge": {check: "mtu.same-node", given: losing("w1", "10.244.9.", 1300), want: []string{"failed w1"}, says: []string{"a pod on w1", "one of 1280 bytes arrived"}},
		"a Service that cuts":  {check: "mtu.service", given: losing("w1", serviceIP, 1300), want: []string{"failed w1"}, says: []string{"Service ns/probe", "4 of 4 lost"}},
		"the underlay":         {check: "mtu.host", given: losing("w1", "172.18.0.4", 1300), want: []string{"failed w1 w2"}, says: []string{"node w2 at 172.18.0.4"}},
		"no host network":      {check: "mtu.host", given: func(w *world) { w.env.HostPods, w.env.HostNamespace = nil, "" }, want: []string{"not-applicable"}},
		"the way out":          {check: "mtu.outside", given: losing("w1", "172.18.0.9", 1300), want: []string{"failed w1"}},
		"nothing outside":      {check: "mtu.outside", given: func(w *world) { w.env.Cluster.Outside = nil }, want: []string{"not-applicable"}},
		"a black hole for TCP": {check: "mtu.bulk-tcp", given: losing("w1", "10.244.2.2", 1300), want: []string{"failed w1 w2"}, says: []string{"1 MiB over TCP to a pod on w2"}},
		"the other of two backends": {
			check: "mtu.bulk-tcp", want: []string{"inconclusive w1"}, says: []string{"TCP does not reach Service"},
			given: func(w *world) {
				before := w.fault
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "w1" && j.Kind == job.Bulk && strings.HasPrefix(j.Address, "10.96.") {
						return lost(j)
					}
					return before(from, j)
				}
			},
		},
		"a dead path for TCP":       {check: "mtu.bulk-tcp", given: losing("w1", "172.18.0.9", 0), want: []string{"inconclusive w1"}, says: []string{"TCP does not reach the outside"}},
		"an underlay too small":     {check: "mtu.headers", given: having(device{"w1", "eth0", 1400}), want: []string{"failed w1"}, says: []string{"flannel.1 of the node to have at most 1350 = 1400 of eth0 - 50 of VXLAN, observed flannel.1 has an MTU of 1450"}},
		"a tunnel too small":        {check: "mtu.headers", given: having(device{"w1", "flannel.1", 1400}), want: []string{"failed w1"}, says: []string{"eth0 of pods to have at most 1400, the MTU of flannel.1"}},
		"no tunnel":                 {check: "mtu.headers", given: having(device{"w1", "flannel.1", 0}), want: []string{"inconclusive w1"}},
		"an encapsulation unknown":  {check: "mtu.headers", given: func(w *world) { w.env.Cluster.CNI.Backend = "pigeon" }, want: []string{"not-applicable"}, says: []string{`flannel with backend "pigeon"`}},
		"routes without a tunnel":   {check: "mtu.headers", given: func(w *world) { w.env.Cluster.CNI.Backend = "host-gw" }},
		"Cilium with room":          {check: "mtu.headers", given: func(w *world) { w.env.Cluster.CNI.Kind = "cilium" }},
		"Cilium without":            {check: "mtu.headers", given: func(w *world) { w.env.Cluster.CNI.Kind = "cilium"; having(device{"w2", "eth0", 1480})(w) }, want: []string{"failed w2"}, says: []string{"the route of pods to have at most 1430 = 1480 of eth0 - 50 of VXLAN"}},
		"nodes that disagree":       {check: "mtu.agree", given: having(device{"w1", "eth0", 9000}), want: []string{"failed w1"}, says: []string{"the device with the InternalIP to have an MTU of 1500 as on 2 other nodes, observed eth0 has 9000"}},
		"tunnels that disagree":     {check: "mtu.agree", given: having(device{"w2", "flannel.1", 1400}), want: []string{"failed w2"}, says: []string{"the tunnel to have"}},
		"nobody to disagree with":   {check: "mtu.agree", given: func(w *world) { w.only("cp") }, want: []string{"not-applicable"}},
		"one of two reads no links": {check: "mtu.agree", given: func(w *world) { delete(w.env.HostPods, "w2") }, want: []string{"inconclusive w2"}},
	})
}

// report has the path from a node say that only mtu bytes fit.
func (w *world) report(node string, mtu int) {
	before := w.fault
	w.fault = func(from probe.Pod, j job.Job) *job.Result {
		if from.Node == node && j.Kind == job.PathMTU && j.Beyond == 0 && (j.Size <= 0 || j.Size > mtu) {
			return &job.Result{Sent: 1, Error: job.MessageSize, Message: "message too long", PathMTU: mtu}
		}
		return before(from, j)
	}
}

func having(but ...device) func(*world) {
	return func(w *world) { w.fault = tunnelled(but...).fault }
}

func mtu(t *testing.T, cases map[string]faulty) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := tunnelled()
			c.given(w)
			expect(t, w.run(t, c.check), c.want, c.says...)
		})
	}
}
