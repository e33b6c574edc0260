// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/probe"
)

// Started is the outcome of a pod that was to get its sandbox: nil when it has
// one, a failure when the network or the runtime of its node kept it from that,
// the sandbox's own image included, inconclusive when something did that is
// neither.
func Started(s State) error {
	trouble, known := s.Trouble()
	switch {
	case Sandboxed(s):
		return nil
	case s.Refused != nil:
		return &check.Inconclusive{Node: s.Node, Why: "the API server did not take the pod", Err: s.Refused}
	case known && (trouble.Kind == Image && trouble.Reason != failedCreate || trouble.Kind == Volume || trouble.Kind == Scheduling):
		return &check.Inconclusive{Node: s.Node, Why: fmt.Sprintf("pod %s did not start, and not for the network: %s", s.Ref(), trouble)}
	case s.Scheduled.IsZero():
		return &check.Inconclusive{Node: s.Node, Why: fmt.Sprintf("pod %s was not scheduled, and the scheduler did not say why", s.Ref())}
	case known:
		return s.failure("a pod sandbox", trouble.String())
	case s.Pod.Status.StartTime == nil:
		return s.failure("a pod sandbox", "the kubelet has not taken up the pod "+s.After())
	}
	return s.failure("a pod sandbox", "none "+s.After()+", and no event says why")
}

// Ended is the outcome of a pod that was to be deleted: nil when it is gone, a
// failure when the kubelet says that it cannot take its sandbox down.
func Ended(s State) error {
	if Gone(s) {
		return nil
	}
	for _, t := range s.Troubles {
		if t.Reason == failedKill {
			return s.failure("the deleted pod to be removed", t.String())
		}
	}
	return &check.Inconclusive{Node: s.Node, Why: fmt.Sprintf("pod %s was deleted, is still there and no event says why", s.Ref())}
}

// Ref is namespace/name.
func (s State) Ref() string { return s.Namespace + "/" + s.Name }

func (s State) failure(wanted, observed string) error {
	return &check.Failure{Node: s.Node, Pods: []string{s.Ref()}, Wanted: wanted, Observed: observed}
}

// Probe is the pod as a probe to run jobs in, once it is Serving.
func (s State) Probe() probe.Pod {
	p := probe.Pod{Namespace: s.Namespace, Name: s.Name, Container: workloads.Container, Node: s.Node}
	for _, ip := range s.Pod.Status.PodIPs {
		p.IPs = append(p.IPs, ip.IP)
	}
	return p
}
