// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// bridgeConflict is what the bridge plugin says (plugins/main/bridge).
var bridgeConflict = fact.Say("the bridge already has another address",
	`"?(?P<bridge>[\w.-]+)"? already has an IP address different from (?P<want>[\d./a-f:]+)`,
	`failed to set bridge addr`, `could not (?:add|set) IP(?:v[46])? address to "?(?P<bridge>[\w.-]+)"?: (?:file|device) (?:exists|or resource busy)`,
	`"?(?P<bridge>cni0|kube-bridge|docker0|weave)"? already exists but is not a bridge`,
)

var _ = Register(Rule{
	Code:       BridgeAddressConflict,
	Title:      "the pod bridge has an address of another range",
	Hint:       "The bridge survives a change of the node's pod range (a reset, a rejoin, another CNI); the plugin does not move it.",
	Suppresses: []Code{SandboxStale, CoreDNSDown, CNIDaemonUnreachable, NotNetworkApplication, SubnetOverlap, IPAMExhausted},
	Fix: []string{
		"ip addr show cni0; cat /run/flannel/subnet.env   # on <node>: the bridge's address against the node's range",
		"ip link set cni0 down && ip link delete cni0   # on <node>: the plugin makes it again with the right address; its pods must be recreated",
	},
	Refutes: "the bridge's address being the first of the node's pod range",
	Looks:   []fact.Sort{fact.RuntimeLog, fact.NetworkState},
	Match: func(f *fact.Facts) []Finding {
		said := current(f, f.Said(bridgeConflict))
		found := cite(0.96, said)
		if bridge := arg(said, "bridge"); bridge != "" {
			found.Title = fmt.Sprintf("the bridge %s has an address other than %s", bridge, either(arg(said, "want"), "the node's pod range asks for"))
		}
		return some(found)
	},
})

// staleSandbox is what runtimes say of names, namespaces and addresses that
// leftovers hold: dockershim, containerd's and cri-o's name index, host-local.
var staleSandbox = fact.Say("a leftover sandbox, name or address blocks a new one",
	`the container name "?/?(?P<name>k8s_[\w.-]+)"? is already in use by container`,
	`failed to reserve sandbox name`, `failed to reserve container name`, `name "[^"]*" is reserved for "?(?P<name>[\w-]+)`,
	`error reserving (?:pod|ctr|container) name`, `pod sandbox with name "[^"]*" already exists`, `error creating pod sandbox with name`,
	`container veth name provided \(eth0\) already exists`, `has been allocated to \S+, duplicate allocation is not allowed`,
	`failed to (?:create|mount) (?:a )?(?:network )?(?:namespace|netns).{0,120}file exists`,
	`(?:sandbox|container) "?\S+"? (?:id )?already exists`, `container with id (?:already )?exists`,
	`failed to (?:stop|remove|kill|delete) (?:pod )?sandbox .{0,160}(?:device or resource busy|not found|is in use|no such)`,
	`Multiple (?:pod )?sandboxes|duplicate sandbox`, `sandbox container .{0,80}is not fully stopped`,
	`cached result: (?:decoding version|unexpected end)`, `failed \(delete\): failed to parse netconf: (?:unexpected end|invalid character)`, `unable to (?:create|use) .{0,60}(?:veth|interface).{0,60}file exists`, `failed to make veth pair: .{0,60}(?:file )?exists`,
)

var _ = Register(Rule{
	Code:       SandboxStale,
	Title:      "leftovers of an earlier sandbox block new ones",
	Hint:       "The runtime or an IPAM plugin still holds a name, a namespace or an address of a pod sandbox that is gone.",
	Suppresses: []Code{NotNetworkApplication},
	Fix: []string{
		"crictl pods --state notready -q | xargs -r crictl rmp   # on <node> (docker: docker rm $(docker ps -aq -f status=exited -f name=k8s_POD))",
		"systemctl restart containerd && systemctl restart kubelet   # on <node>, when names stay reserved",
	},
	Refutes: "no sandbox in state NotReady on the node (crictl pods)",
	Looks:   []fact.Sort{fact.RuntimeLog, fact.KubeletLog},
	Match:   told(0.9, staleSandbox),
})
