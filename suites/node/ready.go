// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// Every node is Ready by its own kubelet, and none carries the condition
// NetworkUnavailable that cloud controllers, flannel and Calico take away when
// its network is set up. A cordoned node is fine.
//
// It is read from the API server, which knows of a dead kubelet only after its
// lease ran out, forty seconds by default; the other checks notice at once.
//
// Turns red with: mv /etc/cni/net.d/10-flannel.conflist /root (on a node; within
// seconds)
var _ = check.Register(check.Check{
	ID:       "node.ready",
	Title:    "every node is Ready and its network available",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		nodes, err := registered(ctx, env)
		if err != nil {
			return err
		}
		var errs []error
		for _, n := range env.Nodes {
			object, ok := nodes[n.Name]
			if !ok {
				errs = append(errs, &check.Failure{Node: n.Name, Wanted: "the node to be registered", Observed: "the API server does not know it any more"})
				continue
			}
			errs = append(errs, ready(object))
		}
		return errors.Join(errs...)
	},
})

// ready is the outcome for one node.
func ready(n corev1.Node) error {
	found := false
	for _, c := range n.Status.Conditions {
		since := ""
		if !c.LastTransitionTime.IsZero() {
			since = " since " + c.LastTransitionTime.UTC().Format(time.RFC3339)
		}
		said := fmt.Sprintf("%s is %s%s: %s: %s", c.Type, c.Status, since, c.Reason, c.Message)
		switch {
		case c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue:
			return &check.Failure{Node: n.Name, Wanted: "the node Ready", Observed: said}
		case c.Type == corev1.NodeNetworkUnavailable && c.Status == corev1.ConditionTrue:
			return &check.Failure{Node: n.Name, Wanted: "the node's network available", Observed: said}
		}
		found = found || c.Type == corev1.NodeReady
	}
	if !found {
		return &check.Failure{Node: n.Name, Wanted: "the node Ready", Observed: "its kubelet has reported no Ready condition yet"}
	}
	return nil
}
