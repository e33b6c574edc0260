// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The image of somebody's application is in a registry that speaks plain HTTP, which
// the container runtime was not told: it asks by HTTPS and gets an answer that is
// none. The registry is reached, so the network is innocent.
var _ = scenario.Register(scenario.Scenario{
	Name:     "image_unpullable",
	Title:    "the image of the only pod behind a Service cannot be pulled",
	Expects:  diagnosis.NotNetworkImagePull,
	Topology: "two-node",
	Breaks:   []string{"audit.service-ready"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		registry, err := outsideWeb(t)
		if err != nil {
			return err
		}
		err = openShop(ctx, t, func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Image = registry + "/shop/web:v1"
		})
		if err != nil {
			return err
		}
		return awaitWeb(ctx, t, waitsFor("ErrImagePull", "ImagePullBackOff"))
	},
	Heal: closeShop,
	Look: lookAtShop,
})

// outsideWeb is host:port of the plain web server outside the cluster
// (fixtures/outside).
func outsideWeb(t scenario.Target) (string, error) {
	if t.Cluster.Outside == nil || len(t.Cluster.Outside.Addrs) == 0 {
		return "", errors.New("the cluster has no world outside of it that could be a registry")
	}
	return t.Cluster.Outside.Addrs[0].String() + ":80", nil
}
