// SPDX-License-Identifier: Apache-2.0

package evidence

var _ = Register(logsOf("flannel-logs", "Flannel pod logs",
	workload{selector: "app=flannel", namespaces: []string{"kube-flannel", "kube-system"}, prefix: "kube-flannel-", everyNode: true},
))

// flannelState: flanneld writes subnet.env, which the CNI plugin needs.
var flannelState = []command{
	{line: "cat /run/flannel/subnet.env", file: "flannel/subnet.env", answers: true},
	{line: "ls -la /run/flannel", file: "flannel/listing.txt", answers: true},
}

var _ = Register(Collector{
	Name: "flannel-state", Title: "Flannel's state on the node", Always: true, CNI: "flannel",
	Steps: steps(flannelState), PerNode: perNode(flannelState),
})
