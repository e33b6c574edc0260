// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// No pod is stuck in ContainerCreating or in Terminating because its network
// could not be set up or torn down. sandbox.none-stuck says on which nodes that
// happens; this names every pod, and what its owner can do.
//
// Its events tell why a pod is stuck; all of them are listed once, and only
// where a pod is suspected. What could fool it: events live for an hour; a pod
// of which none tells is not named.
//
// Turns red with: rm -rf /etc/cni/net.d (on a node), and a pod on that node, a minute before
var _ = check.Register(check.Check{
	ID:       "audit.pods-stuck",
	Title:    "no pod waits for its network to be set up or torn down",
	Level:    check.Advisory,
	NoProbes: true,
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		suspects := map[types.UID]sandbox.Suspect{}
		err := eachPod(ctx, env, func(pod *corev1.Pod) {
			if s, ok := sandbox.Suspicion(pod, time.Now()); ok {
				suspects[s.UID] = s
			}
		})
		if err != nil || len(suspects) == 0 {
			return err
		}
		wrong := faults{wanted: "no pod to wait for its network"}
		err = each(ctx, "events", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = "involvedObject.kind=Pod,type=Warning"
			return env.Cluster.Client.CoreV1().Events(metav1.NamespaceAll).List(ctx, o)
		}, func(e *corev1.Event) {
			s, stuck := suspects[e.InvolvedObject.UID]
			trouble, known := sandbox.FromEvent(e)
			if !stuck || !known || trouble.Kind != sandbox.Network {
				return
			}
			delete(suspects, s.UID) // one event is enough
			fix := "mend the pod network of " + s.Node + "; the kubelet goes on trying and needs no new pod"
			if s.Ending {
				fix = "mend the CNI of " + s.Node + "; the kubelet then removes it, while deleting it by force would leak its address"
			}
			wrong.add("Pod "+s.Ref, s.Ref, fault{observed: s.Stuck + " on " + s.Node + ", " + trouble.String(), fix: fix, node: s.Node})
		})
		if err != nil {
			return err
		}
		return wrong.outcome()
	},
})
