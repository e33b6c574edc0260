// SPDX-License-Identifier: Apache-2.0

package evidence

var ciliumNamespaces = []string{"kube-system", "cilium"}

var _ = Register(logsOf("cilium-logs", "Cilium pod logs",
	workload{selector: "k8s-app=cilium", namespaces: ciliumNamespaces, prefix: "cilium-", everyNode: true},
	workload{selector: "io.cilium/app=operator", namespaces: ciliumNamespaces, prefix: "cilium-operator-"},
))

// ciliumState asks the agent over the socket its own CNI plugin uses, which
// needs no exec into its pod.
var ciliumState = []command{
	{line: "curl -sS -m 2 --unix-socket /var/run/cilium/cilium.sock http://localhost/v1/healthz", file: "cilium/healthz.json", answers: true},
	{line: "ls -la /var/run/cilium", file: "cilium/listing.txt", answers: true},
	{line: "cat /var/run/cilium/cilium-cni.log", file: "cilium/cilium-cni.log"},
}

var _ = Register(Collector{
	Name: "cilium-state", Title: "Cilium's state on the node", Always: true, CNI: "cilium",
	Steps: steps(ciliumState), PerNode: perNode(ciliumState),
})
