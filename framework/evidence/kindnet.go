// SPDX-License-Identifier: Apache-2.0

package evidence

var _ = Register(logsOf("kindnet-logs", "kindnet pod logs",
	workload{selector: "k8s-app=kindnet", namespaces: []string{"kube-system"}, prefix: "kindnet-", everyNode: true},
))
