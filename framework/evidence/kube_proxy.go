// SPDX-License-Identifier: Apache-2.0

package evidence

var _ = Register(logsOf("kube-proxy-logs", "kube-proxy pod logs",
	workload{selector: "k8s-app=kube-proxy", namespaces: []string{"kube-system"}, prefix: "kube-proxy-", everyNode: true},
))
