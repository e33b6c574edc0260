// SPDX-License-Identifier: Apache-2.0

package diagnosis

import "github.com/cniproof/cniproof/framework/diagnosis/fact"

// Things components say that matter to the network and are no cause of the
// guide's list.
var (
	_ = clue("the node has no pod range (spec.podCIDR)",
		"give the controller manager --allocate-node-cidrs and --cluster-cidr (kubeadm: networking.podSubnet), or set it: kubectl patch node <node> -p '{\"spec\":{\"podCIDR\":\"<range>\"}}'",
		fact.Say("a node has no pod range", `pod ?cidr (?:is )?not assigned`, `node "?\S+"? (?:has no|doesn't have a|does not have a) pod ?CIDR`, `spec\.podCIDRs? (?:is )?(?:empty|not set|missing)`))
	_ = clue("the interface a secondary network attaches to does not exist on the node",
		"correct \"master\" in the NetworkAttachmentDefinition to an interface the node has (ip link)",
		fact.Say("a parent interface is missing", `failed to lookup master "?[\w.-]+"?`, `master interface "?[\w.-]+"? (?:not found|does not exist)`, `Link not found`))
	_ = clue("BGP sessions between the nodes are not established",
		"calicoctl node status; TCP 179 open between nodes? the right address detected (IP_AUTODETECTION_METHOD) on nodes with several interfaces?",
		fact.Say("BGP is not established", `BIRD is not ready: BGP not established`, `BGP (?:session|peer)\S* .{0,80}(?:not established|down|idle|Active)`))
	_ = clue("Multus does not find a NetworkAttachmentDefinition",
		"kubectl get network-attachment-definitions -A; correct the name or the namespace in the pod's annotation",
		fact.Say("a network attachment is missing", `network-attachment-definitions?\S* "?[\w./-]+"? not found`, `(?:cannot find|failed to get) (?:a )?network-attachment-definition`))
)
