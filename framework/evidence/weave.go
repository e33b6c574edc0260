// SPDX-License-Identifier: Apache-2.0

package evidence

// Names and ports are Weave Net 2.8's: weaver answers on 127.0.0.1:6784.
var _ = Register(logsOf("weave-logs", "Weave Net pod logs",
	workload{selector: "name=weave-net", namespaces: []string{"kube-system"}, prefix: "weave-net-", everyNode: true},
))

var weaveState = []command{
	{line: "curl -sS -m 2 http://127.0.0.1:6784/status", file: "weave/status.txt", answers: true},
	{line: "curl -sS -m 2 http://127.0.0.1:6784/status/ipam", file: "weave/ipam.txt", answers: true},
	{line: "curl -sS -m 2 http://127.0.0.1:6784/status/connections", file: "weave/connections.txt", answers: true},
	{line: "curl -sS -m 2 http://127.0.0.1:6784/status/peers", file: "weave/peers.txt", answers: true},
	{line: "ls -la /var/lib/weave", file: "weave/files.txt", answers: true},
}

var _ = Register(Collector{
	Name: "weave-state", Title: "Weave Net's state on the node", Always: true, CNI: "weave",
	Steps: steps(weaveState), PerNode: perNode(weaveState),
})
