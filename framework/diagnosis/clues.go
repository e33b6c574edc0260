// SPDX-License-Identifier: Apache-2.0

package diagnosis

import "github.com/cniproof/cniproof/framework/diagnosis/fact"

// Things components say that matter to the network and are no cause of the
// guide's list.
var (
	_ = clue("the node has no pod range (spec.podCIDR)",
		"give the controller manager --allocate-node-cidrs and --cluster-cidr (kubeadm: networking.podSubnet), or set it: kubectl patch node <node> -p '{\"spec\":{\"podCIDR\":\"<range>\"}}'",
		fact.Say("a node has no pod range", `pod ?cidr (?:is )?not (?:assigned|set|allocated)`, `(?:failed to get|cannot get|could not get) (?:the )?pod ?CIDR`, `requires kube-controller-manager to allocate pod CIDRs`, `node "?\S+"? (?:has no|doesn't have a|does not have a) pod ?CIDR`, `spec\.podCIDRs? (?:is )?(?:empty|not set|missing)`))
	_ = clue("the interface a secondary network attaches to does not exist on the node",
		"correct \"master\" in the NetworkAttachmentDefinition to an interface the node has (ip link)",
		fact.Say("a parent interface is missing", `failed to lookup master "?[\w.-]+"?`, `master interface "?[\w.-]+"? (?:not found|does not exist)`, `Link not found`))
	_ = clue("BGP sessions between the nodes are not established",
		"calicoctl node status; TCP 179 open between nodes? the right address detected (IP_AUTODETECTION_METHOD) on nodes with several interfaces?",
		fact.Say("BGP is not established", `BIRD is not ready: BGP not established`, `BGP (?:session|peer)\S* .{0,80}(?:not established|down|idle|Active)`))
	_ = clue("a CNI plugin ended without saying why: it crashed or was killed",
		"dmesg -T | grep -i -e oom -e segfault   # on the node; then the CNI agent's log of that moment",
		fact.Say("a plugin ended without a message", `netplugin failed with no error message`, `netplugin failed but error parsing its diagnostic message`))
	_ = clue("the API server does not answer at all",
		"crictl ps -a | grep -e kube-apiserver -e etcd   # on a control-plane node: this is no matter of the pod network",
		fact.Say("the API server is down", `the connection to the server \S+ was refused`, `unable to connect to the server: dial tcp`, `dial tcp (?:127\.0\.0\.1|\[::1\]|localhost):6443: connect: connection refused`))
	_ = clue("certificates of the control plane or of a kubelet are not valid",
		"kubeadm certs check-expiration   # on a control-plane node; this is no matter of the pod network",
		fact.Say("a control plane certificate is not valid", `unable to (?:connect to the server|authenticate the request).{0,120}x509`, `kubelet.{0,120}x509: certificate (?:has expired|signed by)`))
	_ = clue("Multus does not find a NetworkAttachmentDefinition",
		"kubectl get network-attachment-definitions -A; correct the name or the namespace in the pod's annotation",
		fact.Say("a network attachment is missing", `network-attachment-definitions?\S* "?[\w./-]+"? not found`, `(?:cannot find|failed to get) (?:a )?network-attachment-definition`))
)
