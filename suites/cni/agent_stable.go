// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
)

// No container of the CNI's agent crashed on any node in the last ten minutes,
// and all nodes run the same images of it: an agent that comes back each time is
// ready whenever one looks, and a rollout that stopped half-way leaves two
// versions that must understand each other.
//
// It is the kubelet's record of each container's last end. An end without error
// is none of its crashes, and neither is one of the pod's first minute: agents
// that start together with a cluster wait for its API server that way. The pods
// count by image, not by the DaemonSet's template, so that one with updateStrategy
// OnDelete is judged by what runs.
//
// Turns red with: pkill -9 -x flanneld (on a node; it stays red for ten minutes
// or until the pod is deleted)
var _ = check.Register(check.Check{
	ID:       "cni.agent-stable",
	Title:    "the CNI's agent has not crashed lately and is of one version",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		cni := env.Cluster.CNI
		pods, err := agentPods(ctx, env)
		if err != nil {
			return err
		}
		_, unable := fleet.Able(env)
		errs := []error{unable}
		alike := map[string][]corev1.Pod{}
		for _, pod := range pods {
			if pod.DeletionTimestamp != nil || !slices.Contains(fleet.Names(env.Nodes), pod.Spec.NodeName) {
				continue
			}
			alike[images(pod)] = append(alike[images(pod)], pod)
			if crashes := crashes(pod, time.Now()); len(crashes) > 0 {
				errs = append(errs, &check.Failure{
					Node: pod.Spec.NodeName, Pods: []string{pod.Namespace + "/" + pod.Name},
					Wanted:   fmt.Sprintf("%s's agent running for %s without a crash", cni.Kind, config.DefaultTimeouts().AgentSettled),
					Observed: strings.Join(crashes, "; "),
				})
			}
		}
		return errors.Join(append(errs, minority(alike))...)
	},
})

// images are those of the pod's containers, for comparing and for people.
func images(pod corev1.Pod) string {
	var all []string
	for _, c := range pod.Spec.Containers {
		all = append(all, c.Image)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// crashes are the containers of the pod that ended with an error lately.
func crashes(pod corev1.Pod, now time.Time) []string {
	var all []string
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		t := c.LastTerminationState.Terminated
		if c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
			all = append(all, fmt.Sprintf("%s is in CrashLoopBackOff: %s", c.Name, c.State.Waiting.Message))
			continue
		}
		if t == nil || t.ExitCode == 0 || t.FinishedAt.IsZero() {
			continue
		}
		ago := now.Sub(t.FinishedAt.Time)
		starting := t.FinishedAt.Sub(pod.CreationTimestamp.Time) < config.DefaultTimeouts().Stuck
		if ago < config.DefaultTimeouts().AgentSettled && !starting {
			all = append(all, fmt.Sprintf("%s crashed %s ago with exit code %d (%s), its restart number %d", c.Name, ago.Round(time.Second), t.ExitCode, cmp.Or(strings.TrimSpace(t.Message), t.Reason), c.RestartCount))
		}
	}
	return all
}

// minority are failures for the nodes whose agent is not of the images that most
// nodes have; of as many, the later in the order of names.
func minority(alike map[string][]corev1.Pod) error {
	kinds := slices.Sorted(maps.Keys(alike))
	slices.SortStableFunc(kinds, func(a, b string) int { return len(alike[b]) - len(alike[a]) })
	if len(kinds) < 2 {
		return nil
	}
	var errs []error
	for _, kind := range kinds[1:] {
		for _, pod := range alike[kind] {
			errs = append(errs, &check.Failure{
				Node: pod.Spec.NodeName, Pods: []string{pod.Namespace + "/" + pod.Name},
				Wanted: fmt.Sprintf("%s as on %d nodes", kinds[0], len(alike[kinds[0]])), Observed: kind,
			})
		}
	}
	return errors.Join(errs...)
}
