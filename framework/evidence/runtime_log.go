// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

var runtimeLogs = []command{
	{line: "journalctl -u containerd --no-pager -o short-iso-precise --since=@<since>", file: "containerd.log"},
	{line: "journalctl -u docker --no-pager -o short-iso-precise --since=@<since>", file: "docker.log"},
	{line: "journalctl -u cri-docker --no-pager -o short-iso-precise --since=@<since>", file: "cri-docker.log"},
	{line: "journalctl -u crio --no-pager -o short-iso-precise --since=@<since>", file: "crio.log"},
}

var _ = Register(Collector{
	Name: "runtime-log", Title: "container runtime log", Always: true,
	Steps: steps(runtimeLogs), PerNode: collectRuntimeLogs,
})

// collectRuntimeLogs reads the journals of the units the node has. journalctl itself
// says the same of a unit that is quiet and of one that does not exist, and takes as
// long for it.
func collectRuntimeLogs(ctx context.Context, c *cluster.Cluster, _ string, w *Writer) error {
	show := command{line: "systemctl show --property=Id,LoadState"}
	for _, log := range runtimeLogs {
		show.line += " " + unitOf(log)
	}
	shown := string(w.ask(ctx, c, []command{show})[0].out)
	var loaded []command
	for _, log := range runtimeLogs {
		if isLoaded(shown, unitOf(log)) {
			loaded = append(loaded, log)
			continue
		}
		w.absent(c, steps([]command{log}), fmt.Errorf("no unit %s on this node", unitOf(log)))
	}
	w.run(ctx, c, loaded)
	return nil
}

func unitOf(log command) string { return strings.Fields(log.line)[2] + ".service" }

// isLoaded reads `systemctl show`: a paragraph of key=value lines per unit.
func isLoaded(shown, unit string) bool {
	for _, paragraph := range strings.Split(shown, "\n\n") {
		if strings.Contains("\n"+paragraph+"\n", "\nId="+unit+"\n") {
			return !strings.Contains("\n"+paragraph+"\n", "\nLoadState=not-found\n")
		}
	}
	return true // systemctl did not say; the journal will
}
