// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"

	"github.com/cniproof/cniproof/framework/cluster"
)

// runtimeConfig is what the runtimes say of their own configuration; where they
// look for CNI configuration and plugins is in it. containerd and CRI-O answer
// also when they are down, crictl does not.
var runtimeConfig = []command{
	{line: "crictl info", file: "runtime/crictl-info.json"},
	{line: "containerd config dump", file: "runtime/containerd-config.toml"},
	{line: "crio config", file: "runtime/crio-config.toml"},
	{line: "pgrep -a 'cri-docker|kubelet'", file: "runtime/command-lines.txt", answers: true},
}

var runtimeState = []command{
	{line: "systemctl status kubelet containerd docker cri-docker crio --no-pager --full --lines=0", file: "runtime/services.txt", answers: true},
	{line: "crictl --timeout=5s version", file: "runtime/crictl-version.txt", answers: true},
	{line: "crictl pods", file: "runtime/crictl-pods.txt"},
	{line: "crictl ps -a", file: "runtime/crictl-ps.txt"},
	{line: "ctr -n k8s.io containers ls", file: "runtime/ctr-containers.txt"},
	{line: "containerd --version", file: "runtime/containerd-version.txt"},
	{line: "docker info", file: "runtime/docker-info.txt"},
	{line: "docker ps -a", file: "runtime/docker-ps.txt"},
	{line: "crio version", file: "runtime/crio-version.txt"},
}

var _ = Register(Collector{
	Name: "runtime-state", Title: "container runtime state", Always: true,
	Steps: steps(append(runtimeState, runtimeConfig...)),
	PerNode: func(ctx context.Context, c *cluster.Cluster, _ string, w *Writer) error {
		w.run(ctx, c, runtimeState)
		for i, a := range w.runtimeConfig(ctx, c) {
			w.keep(c, runtimeConfig[i], a)
		}
		return nil
	},
})
