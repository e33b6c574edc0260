// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

var kernelLog = []command{
	{line: "dmesg --time-format=iso 2>/dev/null || dmesg -T", file: "dmesg.txt"},
	{line: "cat /proc/modules", file: "modules.txt", answers: true},
}

// containerEngine is where systemd says what contains it: nothing on a machine.
var containerEngine = command{line: "cat /run/systemd/container"}

var _ = Register(Collector{
	Name: "kernel-log", Title: "kernel log", Always: true,
	Steps: steps(kernelLog), PerNode: collectKernelLog,
})

func collectKernelLog(ctx context.Context, c *cluster.Cluster, _ string, w *Writer) error {
	answers := w.ask(ctx, c, append([]command{containerEngine}, kernelLog...))
	if engine := answers[0]; engine.err == nil && engine.code == 0 {
		answers[1].note = "this node is a " + strings.TrimSpace(string(engine.out)) +
			" container: the kernel log is the host's, and all nodes on that host show the same lines"
	}
	for i, cmd := range kernelLog {
		w.keep(c, cmd, answers[i+1])
	}
	return nil
}
