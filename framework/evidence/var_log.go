// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"path"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

// CNI plugins that write files: Calico (/var/log/calico/cni), Cilium
// (/var/run/cilium/cilium-cni.log, older /var/log/cilium-cni.log), Weave Net,
// Multus, Antrea, OVN-Kubernetes, Azure and AWS. Pods' logs below /var/log/pods
// and /var/log/containers have collectors of their own.
var (
	findLogs = command{line: `find /var/log -maxdepth 4 -type f \( -path '*cni*' -o -path '*calico*' -o -path '*cilium*' -o -path '*weave*' -o -path '*flannel*' -o -path '*multus*' -o -path '*antrea*' -o -path '*ovn-kubernetes*' -o -path '*aws-routed-eni*' -o -name 'azure-vnet*' -o -name 'kubelet.log' \) -not -path '/var/log/pods/*' -not -path '/var/log/containers/*'`, file: "var-log/found.txt", answers: true}
	listLogs = command{line: "ls -la --time-style=full-iso /var/log", file: "var-log/listing.txt", answers: true}
	showLog  = command{line: "tail -c 4194304 <log_file>", file: "files<log_file>"}
)

var _ = Register(Collector{
	Name: "var-log", Title: "files a CNI plugin writes under /var/log", Always: true,
	Steps: steps([]command{listLogs, findLogs, showLog}), PerNode: collectVarLog,
})

// mostLogs is how many log files of a node are read.
const mostLogs = 12

func collectVarLog(ctx context.Context, c *cluster.Cluster, _ string, w *Writer) error {
	commands := []command{listLogs, findLogs}
	answers := w.ask(ctx, c, commands)
	for i, a := range answers {
		w.keep(c, commands[i], a)
	}
	var shows []command
	for _, file := range strings.Split(strings.TrimSpace(string(answers[1].out)), "\n") {
		if path.IsAbs(file) && len(shows) < mostLogs {
			shows = append(shows, w.named(showLog, "<log_file>", file))
		}
	}
	w.run(ctx, c, shows)
	return nil
}
