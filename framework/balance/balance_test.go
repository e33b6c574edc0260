// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/fleet"
)

func TestTriesMeetEveryBackend(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 7, 12} {
		tries, enough := Tries(n)
		if !enough {
			t.Fatalf("Tries(%d) = %d, not enough; wanted enough", n, tries)
		}
		for range 5000 {
			met := map[int]bool{}
			for range tries {
				met[random.IntN(n)] = true
			}
			if len(met) != n {
				t.Fatalf("%d tries met %d of %d backends", tries, len(met), n)
			}
		}
	}
	if tries, enough := Tries(100); enough || tries != most {
		t.Errorf("Tries(100) = %d, %v; wanted %d, false", tries, enough, most)
	}
}

func TestJobsAddUpToTries(t *testing.T) {
	addr := netip.MustParseAddr("10.96.0.7")
	for n := range 30 {
		s := Service{Backends: map[corev1.IPFamily][]Backend{corev1.IPv4Protocol: make([]Backend, n)}}
		wanted, _ := Tries(n)
		got := 0
		ids := map[string]bool{}
		for _, j := range s.Jobs(job.TCP, addr, 81) {
			got += max(j.Count, 1)
			ids[j.ID] = true
			if j.Address != "10.96.0.7:81" {
				t.Fatalf("address %q", j.Address)
			}
		}
		if got != wanted || len(ids) != min(wanted, widest) {
			t.Errorf("%d backends: %d tries in %d jobs, wanted %d in %d", n, got, len(ids), wanted, min(wanted, widest))
		}
	}
}

func TestReadLeavesOutEndpointsThatAreNotReady(t *testing.T) {
	client := fake.NewClientset(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "probe"}, Spec: corev1.ServiceSpec{ClusterIPs: []string{"10.96.0.7", "fd00::7"}}},
		&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: "probe-4", Labels: map[string]string{discoveryv1.LabelServiceName: "probe"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{
				{NodeName: new("a"), Addresses: []string{"10.244.0.2"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "probe-a"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}},
				{NodeName: new("b"), TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "probe-b"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}},
				{NodeName: new("c"), TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "probe-c"}},
			},
		},
		&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: "other", Labels: map[string]string{discoveryv1.LabelServiceName: "other"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{NodeName: new("d")}},
		},
	)
	s, err := Read(t.Context(), client, "ns", "probe")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Of(s.Addrs[0]); len(got) != 2 || got[0] != (Backend{"probe-a", "a", netip.MustParseAddr("10.244.0.2")}) || got[1] != (Backend{"probe-c", "c", netip.Addr{}}) {
		t.Errorf("backends of %v: %v", s.Addrs[0], got)
	}
	if got := s.Of(s.Addrs[1]); len(got) != 0 {
		t.Errorf("backends of %v: %v, wanted none", s.Addrs[1], got)
	}
}

func TestMeetSumsUp(t *testing.T) {
	jobs := []job.Job{{ID: "1"}, {ID: "2"}}
	m := Meet(jobs, fleet.Answers{
		"1": {ID: "1", OK: true, Sent: 2, Received: 2, Peers: []job.Echo{{Pod: "a", Client: "[::ffff:10.244.1.9]:40000"}, {Pod: "b", Client: "10.244.1.9:40001"}}},
		"2": {ID: "2", Sent: 2, Received: 1, Error: job.TimedOut, Message: "dial tcp: i/o timeout", Peers: []job.Echo{{Pod: "a"}}},
	})
	if m.Sent != 4 || m.Received != 3 || len(m.Pods) != 2 || len(m.Clients) != 1 || !m.Clients["10.244.1.9"] || m.Error != "timed-out (dial tcp: i/o timeout)" {
		t.Errorf("got %+v", m)
	}
}
