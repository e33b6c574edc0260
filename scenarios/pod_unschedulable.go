// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody's pod wants a node with a label that no node has. It is Pending and has
// never met the network.
var _ = scenario.Register(scenario.Scenario{
	Name:     "pod_unschedulable",
	Title:    "the only pod behind a Service fits no node",
	Expects:  diagnosis.NotNetworkScheduling,
	Topology: "two-node",
	Breaks:   []string{"audit.service-ready"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		err := openShop(ctx, t, func(pod *corev1.Pod) {
			pod.Spec.NodeSelector = map[string]string{"disktype": "ssd"}
		})
		if err != nil {
			return err
		}
		return awaitWeb(ctx, t, func(pod *corev1.Pod) bool {
			return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable
			})
		})
	},
	Heal: closeShop,
	Look: lookAtShop,
})
