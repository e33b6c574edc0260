// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The file system where the container runtime of one worker keeps its sandboxes is
// full: a small one was mounted over it. No pod starts, and it looks like a CNI
// that does not work.
var _ = scenario.Register(scenario.Scenario{
	Name:     "runtime_disk_full",
	Title:    "the disk of one worker's container runtime is full",
	Expects:  diagnosis.NotNetworkRuntime,
	Topology: "two-node",
	Breaks:   []string{"sandbox.starts-on-every-node"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, "mountpoint -q "+sandboxes+" || { mount -t tmpfs -o size=64k tmpfs "+sandboxes+" && dd if=/dev/zero of="+sandboxes+"/full bs=1k 2>/dev/null; true; }")
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, "while mountpoint -q "+sandboxes+"; do umount "+sandboxes+" || exit; done")
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"df", "-h"}),
			onVictim(t),
		}
	},
})

// sandboxes is where containerd's CRI plugin keeps what it writes for each.
const sandboxes = "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes"
