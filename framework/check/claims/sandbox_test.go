// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"github.com/cniproof/cniproof/framework/check"
)

// timed gives the world times of sandboxes on cp, w1 and w2.
func timed(name string, values ...float64) func(*world) {
	return func(w *world) {
		w.figures = map[string][]check.Measurement{}
		for i, v := range values {
			w.figures["sandbox.starts-on-every-node"] = append(w.figures["sandbox.starts-on-every-node"],
				check.Measurement{Name: "sandbox start", Node: nodeNames[i], Value: 500})
			w.figures["sandbox.deletion-cleans-up"] = append(w.figures["sandbox.deletion-cleans-up"],
				check.Measurement{Name: name, Node: nodeNames[i], Value: v})
		}
	}
}

// restricted has the namespace of the run, and an API server that takes or
// refuses pods on the host network.
func restricted(refuses func(schema.GroupResource) error) func(*world) {
	return func(w *world) {
		w.objects = append(w.objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}})
		for _, node := range nodeNames {
			w.pod("probe-" + node).Labels = map[string]string{"app": "probe"}
		}
		w.serve = func(client *fake.Clientset) {
			client.PrependReactor("create", "pods", func(kubetesting.Action) (bool, runtime.Object, error) {
				err := refuses(schema.GroupResource{Resource: "pods"})
				return err != nil, nil, err
			})
		}
	}
}

func TestSandboxes(t *testing.T) {
	enforcing := func(r schema.GroupResource) error { return apierrors.NewForbidden(r, "x", nil) }
	run(t, map[string]faulty{
		"all as fast":     {check: "sandbox.latency-alike", given: timed("sandbox removal", 900, 1100, 1000)},
		"one a bit later": {check: "sandbox.latency-alike", given: timed("sandbox removal", 900, 1100, 3800)},
		"all slow":        {check: "sandbox.latency-alike", given: timed("sandbox removal", 9000, 12000, 10000)},
		"one that hangs": {
			check: "sandbox.latency-alike", given: timed("sandbox removal", 900, 6100, 1000),
			want: []string{"failed w1"}, says: []string{"a sandbox removal about as fast as on the others, 1000 ms, observed 6100 ms"},
		},
		"starts seen by another sign": {
			check: "sandbox.latency-alike",
			given: func(w *world) {
				timed("sandbox start, seen by its address", 500, 500, 9000)(w)
				delete(w.figures, "sandbox.starts-on-every-node")
			},
			want: []string{"failed w2"},
		},
		"two nodes": {check: "sandbox.latency-alike", given: timed("sandbox removal", 900, 9000), want: []string{"not-applicable"}},
		"restricted pods that run": {
			check: "sandbox.restricted", given: restricted(enforcing),
		},
		"nothing enforced": {
			check: "sandbox.restricted", given: restricted(func(schema.GroupResource) error { return nil }),
			want: []string{"not-applicable"}, says: []string{"PodSecurity admission"},
		},
		"a node that runs none": {
			check: "sandbox.restricted",
			given: func(w *world) {
				restricted(enforcing)(w)
				w.pod("probe-w1").Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "RunContainerError", Message: "seccomp: unknown"}}
			},
			want: []string{"failed w1"}, says: []string{"RunContainerError: seccomp: unknown"},
		},
		"a namespace that is not restricted": {
			check: "sandbox.restricted",
			given: func(w *world) {
				restricted(enforcing)(w)
				w.objects[len(w.objects)-1].(*corev1.Namespace).Labels = nil
			},
			want: []string{"inconclusive"},
		},
	})
}
