// SPDX-License-Identifier: Apache-2.0

// Package cni holds the checks of area cni: the plugin that makes the pod
// network is installed, configured and alive on every node.
package cni

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
)

// The agent of the CNI has a pod on every node whose containers are all ready,
// and none of them is in a crash loop.
//
// Containers are judged by the kubelet's own word and not by the pod's Ready
// condition: the node controller takes that away from every pod of a node that
// is not ready, whatever the agent does. A container that crashed and has been
// back for only a moment is still in its loop as far as one can tell; how often
// it restarted in its life is recorded and not judged.
//
// Turns red with: pkill -9 -x flanneld (on a node)
var _ = check.Register(check.Check{
	ID:       "cni.agent-ready",
	Title:    "the CNI's agent is ready on every node and not restarting",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		cni := env.Cluster.CNI
		pods, err := agentPods(ctx, env)
		if err != nil {
			return err
		}
		agents := map[string]corev1.Pod{}
		for _, pod := range pods {
			// Beside one that is being replaced there is its successor.
			if _, ok := agents[pod.Spec.NodeName]; !ok || pod.DeletionTimestamp == nil {
				agents[pod.Spec.NodeName] = pod
			}
		}
		nodes, unable := fleet.Able(env)
		errs := []error{unable}
		for _, n := range nodes {
			agent, ok := agents[n.Name]
			if !ok {
				errs = append(errs, &check.Failure{Node: n.Name, Wanted: "a pod of " + cni.Kind + "'s agent", Observed: fmt.Sprintf("none labelled %s in %s", cni.Selector, cni.Namespace)})
				continue
			}
			restarts, problems := health(agent, time.Now())
			env.Record(check.Measurement{Name: "restarts of the CNI's agent", Node: n.Name, Value: float64(restarts), Unit: "count"})
			if len(problems) > 0 {
				errs = append(errs, &check.Failure{
					Node: n.Name, Pods: []string{agent.Namespace + "/" + agent.Name},
					Wanted: cni.Kind + "'s agent ready and staying so", Observed: strings.Join(problems, "; "),
				})
			}
		}
		return errors.Join(errs...)
	},
})

// health is how often the pod's containers restarted, and what is wrong with
// them at now.
func health(pod corev1.Pod, now time.Time) (restarts int, problems []string) {
	if len(pod.Status.ContainerStatuses) == 0 {
		problems = append(problems, fmt.Sprintf("%s has no container yet, its phase is %s", pod.Name, pod.Status.Phase))
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		restarts += int(c.RestartCount)
		last := ""
		if t := c.LastTerminationState.Terminated; t != nil && c.RestartCount > 0 {
			last = fmt.Sprintf(", restarted %d times, last exit code %d (%s)", c.RestartCount, t.ExitCode, cmp.Or(strings.TrimSpace(t.Message), t.Reason))
		}
		switch {
		case c.State.Waiting != nil:
			problems = append(problems, strings.TrimSuffix(fmt.Sprintf("%s waits: %s: %s", c.Name, c.State.Waiting.Reason, c.State.Waiting.Message), ": ")+last)
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			problems = append(problems, fmt.Sprintf("%s ended with exit code %d%s", c.Name, c.State.Terminated.ExitCode, last))
		case c.State.Running != nil && !c.Ready:
			problems = append(problems, c.Name+" runs and is not ready"+last)
		case c.State.Running != nil && last != "" && c.LastTerminationState.Terminated.ExitCode != 0 && now.Sub(c.State.Running.StartedAt.Time) < config.DefaultTimeouts().SandboxSettle:
			problems = append(problems, fmt.Sprintf("%s is back for %s only%s", c.Name, now.Sub(c.State.Running.StartedAt.Time).Round(time.Second), last))
		}
	}
	return restarts, problems
}
