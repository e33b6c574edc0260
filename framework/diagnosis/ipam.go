// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What IPAM plugins, agents, clouds and the node CIDR allocator say when there
// is no address left.
var (
	exhausted = fact.Say("no address is left in a range",
		`no (?:free |more )?IP(?:v[46])?(?: address(?:es)?)?s? (?:are )?(?:available|left)(?: in (?:range set|network|pools?|subnet|the)[^\da-f]{0,4}(?P<range>[\d./a-f:-]+)?)?`,
		`no available (?:IP )?address(?:es)?`, `no available ips?\b`, `no (?:free|available) (?:IP )?address`,
		`assigned 0 out of \d+ requested IPv[46] address`, `no IPs available in pools: \[(?P<range>[^\]]*)`,
		`no more free affine blocks`, `failed to request IPv[46] addresses`,
		`no more IPs available`, `all (?:pod )?CIDR ranges are exhausted`, `(?:allocator|pool|range|IPAM|ENI) (?:is )?(?:exhausted|full)\b`, `range is full`,
		`InsufficientFreeAddressesInSubnet`, `InsufficientCidrBlocks`, `IP_SPACE_EXHAUSTED`, `IP space .{0,80}exhausted`,
		`InvalidVSwitchId\.IpNotEnough|IpNotEnough`, `not enough (?:free )?IPs? (?:address(?:es)? )?available`,
		`subnet .{0,80}(?:does not have|has no|doesn't have) enough .{0,30}(?:IP|address)`, `SubnetIsFull`,
		`(?:IP|address) (?:address )?(?:pool|range|space|block)s? .{0,60}exhausted`, `exhausted .{0,40}(?:IP|address)`,
		`add cmd: failed to assign an IP address to container`, `failed to assign an IP address to container`,
		`CIDRNotAvailable`, `no remaining CIDRs left to allocate`, `CIDR allocation failed`,
		`auto-?assigned 0 out of [1-9]`, `failed to find any free`, `block is full`, `could not allocate IP in range`, `NoAvailableAddress`, `all IPs? (?:are )?(?:used|in use|allocated)`,
		`waiting for IP\(s\) to become available`, `unable to allocate (?:an )?IP.{0,60}(?:exhaust|full|no )`,
		`max(?:imum)? (?:number of )?(?:ENI|IP|addresses).{0,40}(?:reached|exceeded)`,
	)
	noPool = fact.Say("no address pool is configured",
		`no configured Calico pools`, `no IP pools? (?:are )?(?:configured|defined|found)`,
	)
	// weaveUnanswered is Weave's way: the request for an address blocks until
	// the runtime's deadline.
	weaveWaiting = fact.Say("Weave's allocator waits for addresses to become free",
		`Status: waiting for IP\(s\) to become available`, `waiting for IP range grant`,
	)
)

var _ = Register(Rule{
	Code:       IPAMExhausted,
	Title:      "no address is left in the range pods get theirs from",
	Hint:       "The range is too small, or addresses of pods that are gone were not released (files under /var/lib/cni/networks, stale blocks).",
	Suppresses: []Code{CNIDaemonUnreachable, SandboxStale, CoreDNSDown, NotNetworkApplication, ServiceSelectorMismatch, NotNetworkScheduling, CNIConfigMissing},
	Fix: []string{
		"kubectl get pods -A -o wide --field-selector spec.nodeName=<node> | wc -l   # pods against the size of the range",
		"ls /var/lib/cni/networks/*/ | wc -l   # on <node>: reservations of host-local; those of containers that are gone may be removed",
		"kubectl get ippools -o yaml; calicoctl ipam show --show-blocks   # Calico: add a pool or a larger one",
	},
	Refutes: "free addresses in the range (fewer pods than addresses, and no leaked reservations)",
	Looks:   []fact.Sort{fact.RuntimeLog, fact.PodStatus},
	Match: func(f *fact.Facts) []Finding {
		said := without(current(f, f.Said(exhausted)), serviceRange)
		found := cite(0.92, said)
		if r := arg(said, "range"); r != "" {
			found.Title = fmt.Sprintf("no address is left in %s", r)
		}
		if weave := current(f, f.Said(weaveWaiting)); len(weave) > 0 {
			found = cite(0.93, weave)
			found.Title = "Weave Net's range has no free address: its allocator waits, and so do the pods"
			found.Fix = []string{
				"curl -s http://127.0.0.1:6784/status/ipam   # on <node>: who owns the range, and is a peer that is gone among them?",
				"kubectl -n kube-system set env ds/weave-net -c weave IPALLOC_RANGE=<a larger range>   # then remove /var/lib/weave on each node",
			}
		}
		pools := some(cite(0.7, current(f, f.Said(noPool))))
		return append(some(found), pools...)
	},
})
