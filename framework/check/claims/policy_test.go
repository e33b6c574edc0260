// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
)

// labIPs are those of the pods that a check creates, by their node.
var labIPs = map[string]string{"cp": "10.244.0.77", "w1": "10.244.1.77", "w2": "10.244.2.77"}

// withPolicies is a world whose CNI enforces policies; through tells what passes
// once there is one, nil being nothing to and from pods that checks create.
func withPolicies(through func(from probe.Pod, j job.Job) bool) func(*world) {
	return func(w *world) {
		w.figures = map[string][]check.Measurement{"policy.enforced": {{Name: "NetworkPolicy enforced", Value: 1}}}
		w.env.EgressTargets = []string{"172.18.0.9:80"}
		var applied atomic.Bool
		w.serve = func(client *fake.Clientset) {
			client.PrependReactor("create", "networkpolicies", func(k8stesting.Action) (bool, runtime.Object, error) {
				applied.Store(true)
				return false, nil, nil
			})
			client.PrependReactor("delete", "networkpolicies", func(k8stesting.Action) (bool, runtime.Object, error) {
				applied.Store(false)
				return false, nil, nil
			})
			client.PrependReactor("create", "pods", func(a k8stesting.Action) (bool, runtime.Object, error) {
				pod := a.(k8stesting.CreateAction).GetObject().(*corev1.Pod)
				pod.Spec.NodeName = pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values[0]
				ip := labIPs[pod.Spec.NodeName]
				if strings.HasPrefix(pod.Name, "stranger") || strings.HasPrefix(pod.Name, "foreigner") {
					ip = strings.Replace(ip, ".77", ".88", 1)
				}
				pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, ContainerStatuses: []corev1.ContainerStatus{{
					State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
				}}}
				return false, nil, nil
			})
		}
		w.fault = func(from probe.Pod, j job.Job) *job.Result {
			// A connection is held until after the policy came.
			open := !applied.Load() && j.Kind != job.Held || through != nil && through(from, j)
			r := &job.Result{OK: open, Sent: 2, Bytes: 13}
			if open {
				r.Received = 2
			} else {
				r.Error, r.Message = job.TimedOut, "i/o timeout"
			}
			switch j.Until {
			case job.Answered:
				r.OK = open
			case job.Unanswered:
				r.OK = !open
			}
			return r
		}
	}
}

// lab tells whether the job is to or from a pod that a check created on node.
func atLab(node string, from probe.Pod, j job.Job) bool {
	addr, _ := netip.ParseAddrPort(j.Address)
	return addr.Addr().String() == labIPs[node] || len(from.IPs) > 0 && from.IPs[0] == labIPs[node]
}

func TestPolicies(t *testing.T) {
	outward := func(from probe.Pod, j job.Job) bool { return from.IPs[0] == labIPs[from.Node] }
	run(t, map[string]faulty{
		"enforced": {check: "policy.enforced", given: withPolicies(nil)},
		"not enforced": {
			check: "policy.enforced", given: withPolicies(func(probe.Pod, job.Job) bool { return true }),
			want: []string{"not-applicable"}, says: []string{"a default deny had no effect"},
		},
		"enforced on the second node only": {
			check: "policy.enforced", given: withPolicies(func(from probe.Pod, j job.Job) bool { return atLab("cp", from, j) }),
		},
		"not enforced, so not applicable": {
			check: "policy.port-range",
			given: func(w *world) {
				w.figures = map[string][]check.Measurement{"policy.enforced": {{Name: "NetworkPolicy enforced", Value: 0}}}
			},
			want: []string{"not-applicable"},
		},
		"not known whether enforced": {check: "policy.port-range", want: []string{"inconclusive"}},
		"ingress denied":             {check: "policy.default-deny-ingress", given: withPolicies(nil)},
		"ingress not denied on one node": {
			check: "policy.default-deny-ingress", given: withPolicies(func(from probe.Pod, j job.Job) bool { return atLab("w1", from, j) }),
			want: []string{"failed w1", "failed w1", "failed w1", "failed w1"}, says: []string{"still answered after 8s"},
		},
		"egress denied": {check: "policy.default-deny-egress", given: withPolicies(func(from probe.Pod, j job.Job) bool { return !outward(from, j) })},
		"egress denied, and ingress with it": {
			check: "policy.default-deny-egress", given: withPolicies(nil), want: []string{"failed cp", "failed w1", "failed w2"}, says: []string{"allowed by the policy"},
		},
		"labels": {
			check: "policy.allow-by-pod-label", given: withPolicies(func(from probe.Pod, _ job.Job) bool { return strings.HasPrefix(from.Name, "probe-") }),
		},
		"a stranger let in": {
			check: "policy.allow-by-pod-label", given: func(w *world) {
				withPolicies(func(probe.Pod, job.Job) bool { return true })(w)
				w.env.Nodes = w.env.Nodes[:1]
			},
			want: []string{"failed cp", "failed cp"}, says: []string{"from ns/stranger-"},
		},
		"namespaces": {
			check: "policy.allow-by-namespace-label", given: withPolicies(func(from probe.Pod, _ job.Job) bool { return from.Namespace == "ns-host" }),
		},
		"names and nothing else": {check: "policy.allow-dns-only", given: withPolicies(func(_ probe.Pod, j job.Job) bool { return j.Kind == job.DNS })},
		"ports":                  {check: "policy.port-range", given: withPolicies(func(_ probe.Pod, j job.Job) bool { return j.Kind == job.TCP })},
		"the first port of a range only": {
			check: "policy.port-range", given: func(w *world) { withPolicies(nil)(w); w.env.Nodes = w.env.Nodes[:1] },
			want: []string{"failed cp"}, says: []string{"tcp from ns/probe-", "allowed by the policy"},
		},
		"no target outside": {
			check: "policy.ip-block-except", given: func(w *world) { withPolicies(nil)(w); w.env.EgressTargets = nil }, want: []string{"not-applicable"},
		},
		"an open connection cut": {check: "policy.established-connections", given: withPolicies(nil)},
		"an open connection that lives on": {
			check: "policy.established-connections", given: func(w *world) {
				withPolicies(func(_ probe.Pod, j job.Job) bool { return j.Kind == job.Held })(w)
				w.env.Nodes = []cluster.Node{w.env.Nodes[0]}
			},
			want: []string{"failed cp"}, says: []string{"lived on for 4s"},
		},
	})
}
