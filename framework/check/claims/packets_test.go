// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/probe"
	_ "github.com/cniproof/cniproof/suites"
)

func TestRegistryIsValid(t *testing.T) {
	if err := check.Default.Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range check.Default.Checks() {
		for _, word := range []string{"should", "works"} {
			if strings.Contains(c.Title, word) {
				t.Errorf("%s: the title %q is no claim that is true or false", c.ID, c.Title)
			}
		}
	}
}

// TestPackets shows the checks that send packets a network with one fault.
func TestPackets(t *testing.T) {
	cut := func(node string) func(probe.Pod, job.Job) *job.Result {
		return func(from probe.Pod, j job.Job) *job.Result {
			ips := map[string]string{"cp": "10.244.0.2", "w1": "10.244.1.2", "w2": "10.244.2.2"}
			if (from.Node == node) != strings.HasPrefix(j.Address, ips[node]+":") {
				return lost(j)
			}
			return nil
		}
	}
	run(t, map[string]faulty{
		"pods apart": {
			check: "pod.other-node", given: func(w *world) { w.fault = cut("w2") },
			want: []string{"failed cp w2", "failed w1 w2", "failed w2 cp", "failed w2 w1"},
			says: []string{"tcp 10.244.2.2:8081: timed-out", "udp 10.244.2.2:8082: timed-out"},
		},
		"another pod answers": {
			check: "pod.other-node",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "cp" && strings.HasPrefix(j.Address, "10.244.1.") {
						return &job.Result{OK: true, Peers: []job.Echo{{Pod: "intruder", Node: "w2"}}}
					}
					return nil
				}
			},
			want: []string{"failed cp w1"}, says: []string{"answered by pod intruder on w2"},
		},
		"one node": {check: "pod.other-node", given: func(w *world) { w.only("cp") }, want: []string{"not-applicable"}, says: []string{"second Linux node"}},
		"one probe": {
			check: "pod.other-node", given: func(w *world) { delete(w.env.Pods, "w2") }, want: []string{"inconclusive w2"},
		},
		"a Windows node": {
			check: "pod.other-node",
			given: func(w *world) { w.env.Nodes[2].OS = "windows"; delete(w.env.Pods, "w2") }, want: []string{"not-applicable w2"},
		},
		"nodes closed to pods": {
			check: "pod.to-host-network",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if strings.HasPrefix(j.Address, "172.18.0.4:") {
						return &job.Result{Error: job.Refused, Message: "connection refused"}
					}
					return nil
				}
			},
			want: []string{"failed cp w2", "failed w1 w2", "failed w2"}, says: []string{"172.18.0.4:18081: refused"},
		},
		"no host network allowed": {
			check: "pod.from-host-network", given: func(w *world) { w.env.HostPods, w.env.HostNamespace = nil, "" },
			want: []string{"not-applicable"}, says: []string{"admission"},
		},
		"masqueraded": {
			check: "pod.source-address-kept",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "w1" {
						return &job.Result{OK: true, Peers: []job.Echo{{Client: "172.18.0.3:40000"}}}
					}
					return nil
				}
			},
			want: []string{"failed w1 cp", "failed w1 w2"}, says: []string{"it saw 172.18.0.3:40000", "as 10.244.1.2"},
		},
		"no hairpin": {
			check: "pod.hairpin",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					r := w.network(from, j)
					for i, p := range r.Peers {
						if p.Node == "w2" && from.Node == "w2" {
							r.OK, r.Error, r.Received = false, job.TimedOut, r.Received-1
							r.Peers[i] = job.Echo{Pod: "probe-cp"}
						}
					}
					return r
				}
			},
			want: []string{"failed w2"}, says: []string{"never in 37 connections"},
		},
		"a backend that is missing on one node": {
			check: "service.cluster-ip",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node != "w1" {
						return nil
					}
					return &job.Result{OK: true, Sent: max(j.Count, 1), Received: max(j.Count, 1), Peers: []job.Echo{{Pod: "probe-cp"}, {Pod: "probe-w1"}}}
				}
			},
			want: []string{"failed w1"}, says: []string{"none by probe-w2 on w2"},
		},
		"a Service that nobody routes": {
			check: "service.cluster-ip",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "cp" {
						return lost(j)
					}
					return nil
				}
			},
			want: []string{"failed cp"}, says: []string{"none of 37 answered: timed-out (i/o timeout)"},
		},
		"a backend on a node that is cut off": {
			check: "service.cluster-ip",
			given: func(w *world) {
				w.block("w2")
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					r := w.network(from, j)
					r.OK, r.Error, r.Received = false, job.TimedOut, r.Received-1
					for i := range r.Peers {
						if r.Peers[i].Node == "w2" {
							r.Peers[i] = job.Echo{Pod: "probe-cp"}
						}
					}
					return r
				}
			},
		},
		"one node's only backend": {check: "service.cluster-ip", given: func(w *world) {
			w.only("cp")
			w.objects = append(w.objects[:6:6], service("ns", "probe", serviceIP), endpoints("ns", "probe", []discoveryv1.Endpoint{endpoint("cp", "probe-cp")}))
			w.fault = func(from probe.Pod, j job.Job) *job.Result {
				if !from.HostNetwork {
					return lost(j) // no hairpin
				}
				return nil
			}
		}},
		"no DNS servers": {
			check: "dns.service-name",
			given: func(w *world) {
				w.objects[len(w.objects)-1] = endpoints("kube-system", "kube-dns", nil)
				w.fault = func(_ probe.Pod, j job.Job) *job.Result {
					return &job.Result{Error: job.Refused, Message: "read: connection refused"}
				}
			},
			want: []string{"failed cp", "failed w1", "failed w2"}, says: []string{"A over udp: 6 of 6 refused", "Service kube-system/kube-dns has no ready endpoint"},
		},
		"a name that does not exist": {
			check: "dns.service-name",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "w1" {
						return &job.Result{Error: job.NXDomain, Message: "asked 10.96.0.10:53, answered NXDOMAIN", Asked: []string{"probe.ns.svc.wrong.local."}}
					}
					return nil
				}
			},
			want: []string{"failed w1"}, says: []string{"nxdomain", "tried probe.ns.svc.wrong.local."},
		},
		"a wrong answer": {
			check: "dns.service-name",
			given: func(w *world) {
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "w1" && j.Network == "tcp" {
						return &job.Result{OK: true, Server: "9.9.9.9:53", Answers: []string{"probe. 5 IN A 198.51.100.1"}}
					}
					return nil
				}
			},
			want: []string{"failed w1"}, says: []string{"A over tcp: 6 of 6 wrong answer (9.9.9.9:53 answered probe. 5 IN A 198.51.100.1)"},
		},
		"a DNS server that is cut off with its node": {
			check: "dns.service-name",
			given: func(w *world) {
				w.block("w2")
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "cp" && strings.HasSuffix(j.ID, "3") {
						return lost(j)
					}
					return nil
				}
			},
			want: []string{"inconclusive cp"}, says: []string{"A over udp: 1 of 6 timed-out", "coredns-w2", "w2, which is not judged"},
		},
		"no target outside": {check: "egress.tcp", want: []string{"not-applicable"}, says: []string{"-egress-target host:port"}},
		"a target of another family": {
			check: "egress.tcp", given: func(w *world) { w.env.EgressTargets = []string{"[fd00::5]:80"} }, want: []string{"not-applicable"},
		},
		"the way out closed on one node": {
			check: "egress.tcp",
			given: func(w *world) {
				w.env.EgressTargets = []string{"172.18.0.9:80", "[fd00::5]:80"}
				w.fault = func(from probe.Pod, j job.Job) *job.Result {
					if from.Node == "w2" {
						return lost(j)
					}
					return nil
				}
			},
			want: []string{"failed w2"}, says: []string{"172.18.0.9:80: timed-out"},
		},
		"a target whose name does not resolve": {
			check: "egress.tcp",
			given: func(w *world) {
				w.env.EgressTargets = []string{"host.outside.test:80"}
				w.fault = func(probe.Pod, job.Job) *job.Result {
					return &job.Result{Error: job.TimedOut, Message: "dial tcp: lookup host.outside.test on 10.96.0.10:53: i/o timeout"}
				}
			},
			want: []string{"inconclusive cp", "inconclusive w1", "inconclusive w2"}, says: []string{"its name did not resolve"},
		},
	})
}

// TestChecksPassOnANetworkThatWorks is about those that need no kubelet.
func TestChecksPassOnANetworkThatWorks(t *testing.T) {
	for _, id := range []string{
		"cni.agent-ready", "sandbox.address-in-node-range", "sandbox.addresses-unique", "sandbox.none-stuck",
		"pod.other-node", "pod.to-host-network", "pod.from-host-network", "pod.source-address-kept", "pod.hairpin",
		"service.cluster-ip", "dns.service-name", "mtu.path", "egress.tcp",
	} {
		w := newWorld()
		w.env.EgressTargets = []string{"172.18.0.9:80"}
		if err := w.run(t, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}
