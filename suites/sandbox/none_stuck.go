// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// No pod that was there before the run is stuck in ContainerCreating, or in
// Terminating, because its network could not be set up or torn down.
//
// A pod is suspected by its status: on a node for a while and still without its
// sandbox, or still there a while after its deletion. Whether the network is why,
// its events tell (FailedCreatePodSandBox, NetworkNotReady, FailedKillPod with
// KillPodSandboxError); images, volumes, finalizers and the scheduler are no
// matter of this check. What could fool it: events live for an hour and a pod may
// hang without any, as it does while a plugin waits; a suspect of which nothing
// is told makes its node inconclusive.
var _ = check.Register(check.Check{
	ID:       "sandbox.none-stuck",
	Title:    "no pod is stuck creating or terminating for its network",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		suspects := map[string][]sandbox.Suspect{}
		err := eachPod(ctx, env, func(pod *corev1.Pod) {
			if s, ok := sandbox.Suspicion(pod, time.Now()); ok {
				suspects[s.Node] = append(suspects[s.Node], s)
			}
		})
		if err != nil {
			return err
		}
		var errs []error
		for _, n := range env.Nodes {
			list := suspects[n.Name]
			// A node's pods are stuck for the same reason: some tell it.
			const some = 5
			for _, s := range list[:min(len(list), some)] {
				errs = append(errs, stuckFor(ctx, env, s))
			}
			env.Record(check.Measurement{Name: "pods without sandbox or overdue for removal", Node: n.Name, Value: float64(len(list)), Unit: "count"})
		}
		return errors.Join(errs...)
	},
})

// stuckFor asks for the suspect's events to learn what it is stuck for.
func stuckFor(ctx context.Context, env *check.Env, s sandbox.Suspect) error {
	events, err := env.Cluster.Client.CoreV1().Events(s.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": string(s.UID)}.String(),
	})
	if err != nil {
		return &check.Inconclusive{Node: s.Node, Why: s.Ref + " is stuck and its events could not be listed", Err: err}
	}
	told := false
	for i := range events.Items {
		trouble, ok := sandbox.FromEvent(&events.Items[i])
		if ok && trouble.Kind == sandbox.Network {
			return &check.Failure{Node: s.Node, Pods: []string{s.Ref}, Wanted: s.Wanted, Observed: s.Ref + ": " + s.Stuck + "; " + trouble.String()}
		}
		told = told || ok
	}
	if told || s.Ending {
		return nil
	}
	return &check.Inconclusive{Node: s.Node, Why: fmt.Sprintf("%s has no sandbox (%s) and no event says why", s.Ref, s.Stuck)}
}
