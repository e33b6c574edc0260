// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The container runtime of one worker is to take the sandbox image from a mirror that
// speaks plain HTTP, which the runtime was not told. The network of a pod is made
// after its sandbox image is there, so every pod waits in ContainerCreating.
var _ = scenario.Register(scenario.Scenario{
	Name:     "sandbox_image_missing",
	Title:    "the sandbox image of one worker cannot be had",
	Expects:  diagnosis.NotNetworkImagePull,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	MayBreak: []string{"cni.directories-in-use"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		mirror, err := outsideWeb(t)
		if err != nil {
			return err
		}
		return setSandboxImage(ctx, t, mirror+"/pause:3.10")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return restoreContainerd(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"grep", "sandbox_image", containerdConf}),
			onVictim(t),
		}
	},
})

// setSandboxImage has the victim's containerd start sandboxes from that image, by
// the name of the setting in configurations of version 2 or that of version 3
// (pinned_images).
func setSandboxImage(ctx context.Context, t scenario.Target, image string) error {
	if err := keepFile(ctx, t, containerdConf); err != nil {
		return err
	}
	return shell(ctx, t, `sed -Ei 's#^( *(sandbox_image|sandbox) *= *).*#\1"`+image+`"#' `+containerdConf+` && grep -q `+image+` `+containerdConf+` && systemctl restart containerd`)
}

// restoreContainerd undoes setSandboxImage, and starts containerd whatever became
// of it.
func restoreContainerd(ctx context.Context, t scenario.Target) error {
	if err := putBack(ctx, t, containerdConf); err != nil {
		return err
	}
	if err := shell(ctx, t, "systemctl daemon-reload && systemctl restart containerd"); err != nil {
		return err
	}
	return nodeReady(ctx, t)
}
