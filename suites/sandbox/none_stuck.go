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

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
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
	ID:    "sandbox.none-stuck",
	Title: "no pod is stuck creating or terminating for its network",
	Level: check.Required,
	Run: func(ctx context.Context, env *check.Env) error {
		suspects := map[string][]suspect{}
		err := eachPod(ctx, env, func(pod *corev1.Pod) {
			if s, ok := suspicion(pod, time.Now()); ok {
				suspects[s.node] = append(suspects[s.node], s)
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
				errs = append(errs, s.outcome(ctx, env))
			}
			env.Record(check.Measurement{Name: "pods without sandbox or overdue for removal", Node: n.Name, Value: float64(len(list)), Unit: "count"})
		}
		return errors.Join(errs...)
	},
})

// suspect is a pod that is stuck, for whatever reason.
type suspect struct {
	namespace, name, node, uid string
	// wanted is what it should have got to, stuck how it is instead.
	wanted, stuck string
	// silent tells that a pod of which no event tells is suspicious too.
	silent bool
}

// suspicion tells whether the pod is stuck at now. The run's own pods are for
// other checks to judge.
func suspicion(pod *corev1.Pod, now time.Time) (suspect, bool) {
	s := suspect{namespace: pod.Namespace, name: pod.Name, node: pod.Spec.NodeName, uid: string(pod.UID)}
	if pod.Spec.NodeName == "" || pod.Spec.HostNetwork || pod.Labels[workloads.ManagedByLabel] == workloads.ManagedBy {
		return s, false
	}
	patience := config.DefaultTimeouts().Stuck
	if pod.DeletionTimestamp != nil {
		// It already has the grace period in it.
		overdue := now.Sub(pod.DeletionTimestamp.Time)
		s.wanted, s.stuck = "the deleted pod to be gone", fmt.Sprintf("still terminating %s after its grace period", overdue.Round(time.Second))
		return s, overdue > patience
	}
	if pod.Status.Phase != corev1.PodPending || sandbox.SeenBy(pod) != "" {
		return s, false
	}
	since := pod.CreationTimestamp.Time
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			since = c.LastTransitionTime.Time
		}
	}
	s.wanted, s.stuck, s.silent = "a pod sandbox", fmt.Sprintf("none %s after it was scheduled", now.Sub(since).Round(time.Second)), true
	return s, now.Sub(since) > patience
}

// outcome asks for the suspect's events to learn what it is stuck for.
func (s suspect) outcome(ctx context.Context, env *check.Env) error {
	ref := s.namespace + "/" + s.name
	events, err := env.Cluster.Client.CoreV1().Events(s.namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": s.uid}.String(),
	})
	if err != nil {
		return &check.Inconclusive{Node: s.node, Why: ref + " is stuck and its events could not be listed", Err: err}
	}
	told := false
	for i := range events.Items {
		trouble, ok := sandbox.FromEvent(&events.Items[i])
		if ok && trouble.Kind == sandbox.Network {
			return &check.Failure{Node: s.node, Pods: []string{ref}, Wanted: s.wanted, Observed: ref + ": " + s.stuck + "; " + trouble.String()}
		}
		told = told || ok
	}
	if told || !s.silent {
		return nil
	}
	return &check.Inconclusive{Node: s.node, Why: fmt.Sprintf("%s has no sandbox (%s) and no event says why", ref, s.stuck)}
}
