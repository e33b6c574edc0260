// SPDX-License-Identifier: Apache-2.0

package evidence

var _ = Register(logsOf("coredns-logs", "CoreDNS pod logs",
	workload{selector: "k8s-app=kube-dns", namespaces: []string{"kube-system"}, prefix: "coredns-"},
))
