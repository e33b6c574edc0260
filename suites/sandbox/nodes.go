// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// nodeState is what the API server knows of a node at this moment.
type nodeState struct {
	present, cordoned bool
	ready             corev1.NodeCondition
}

// readiness asks for the nodes as they are now; env's are those of the start of
// the run.
func readiness(ctx context.Context, env *check.Env) (map[string]nodeState, error) {
	list, err := env.Cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, &check.Inconclusive{Why: "the nodes could not be listed", Err: err}
	}
	states := map[string]nodeState{}
	for _, n := range list.Items {
		s := nodeState{present: true, cordoned: n.Spec.Unschedulable}
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				s.ready = c
			}
		}
		states[n.Name] = s
	}
	return states, nil
}

// runtimeDown are the words with which a kubelet says that it does not start
// any pod, and so will say nothing of a new one (kubernetes/pkg/kubelet/runtime.go).
var runtimeDown = regexp.MustCompile(`container runtime is down|container runtime status check may not have completed|PLEG is not healthy`)

// outcome is that of a node on which it is pointless to create a pod, nil for
// any other.
func (s nodeState) outcome(node string) error {
	switch {
	case !s.present:
		return &check.Inconclusive{Node: node, Why: "it left the cluster"}
	case s.ready.Status == corev1.ConditionUnknown:
		return &check.Inconclusive{Node: node, Why: "no pod was created there, its kubelet is silent since " + s.ready.LastTransitionTime.UTC().Format("15:04:05") + ": " + s.ready.Message}
	case s.ready.Status == corev1.ConditionFalse && runtimeDown.MatchString(s.ready.Message):
		return &check.Failure{Node: node, Wanted: "a pod sandbox", Observed: "the node is not ready and its kubelet starts no pod: " + s.ready.Message}
	}
	return nil
}

// note is what else of the node explains a failure.
func (s nodeState) note() string {
	note := ""
	if s.ready.Status != corev1.ConditionTrue {
		note = fmt.Sprintf("; the node is not ready (%s: %s)", s.ready.Reason, s.ready.Message)
	}
	if s.cordoned {
		note += "; the node is cordoned"
	}
	return note
}
