// SPDX-License-Identifier: Apache-2.0

package evidence

// The namespaces are those of Calico's manifests and of its operator.
var calicoNamespaces = []string{"kube-system", "calico-system"}

var _ = Register(logsOf("calico-logs", "Calico pod logs",
	workload{selector: "k8s-app=calico-node", namespaces: calicoNamespaces, prefix: "calico-node-", everyNode: true},
	workload{selector: "k8s-app=calico-typha", namespaces: calicoNamespaces, prefix: "calico-typha-"},
	workload{selector: "k8s-app=calico-kube-controllers", namespaces: calicoNamespaces, prefix: "calico-kube-controllers-"},
	workload{selector: "k8s-app=tigera-operator", namespaces: []string{"tigera-operator"}, prefix: "tigera-operator-"},
))

// calicoState: the CNI plugin refuses to work without nodename, which
// calico-node writes; Felix answers on 127.0.0.1:9099.
var calicoState = []command{
	{line: "head -n 20 /var/lib/calico/nodename /var/lib/calico/mtu", file: "calico/files.txt", answers: true},
	{line: "curl -sS -m 2 http://127.0.0.1:9099/readiness", file: "calico/felix-readiness.txt", answers: true},
	{line: "ls -la /var/lib/calico /var/run/calico", file: "calico/listing.txt", answers: true},
}

var _ = Register(Collector{
	Name: "calico-state", Title: "Calico's state on the node", Always: true, CNI: "calico",
	Steps: steps(calicoState), PerNode: perNode(calicoState),
})
