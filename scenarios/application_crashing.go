// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Somebody's application is told to run a program that its image does not have. Its
// sandbox and its network are made each time; callers of its Service see a network
// that refuses them.
var _ = scenario.Register(scenario.Scenario{
	Name:     "application_crashing",
	Title:    "the only pod behind a Service crashes at its start",
	Expects:  diagnosis.NotNetworkApplication,
	Topology: "two-node",
	Breaks:   []string{"audit.service-ready"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		err := openShop(ctx, t, func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Command = []string{"/usr/local/bin/web", "--listen=:8080"}
		})
		if err != nil {
			return err
		}
		return awaitWeb(ctx, t, waitsFor("CrashLoopBackOff", "RunContainerError", "CreateContainerError"))
	},
	Heal: closeShop,
	Look: lookAtShop,
})
