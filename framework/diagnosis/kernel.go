// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

var forwardOff = fact.Say("the kernel does not forward packets",
	`ip_forward"? (?:contents are|is|was|value is)? ?(?:not set to 1|not enabled|disabled|set to 0|= ?0\b)`,
	`net\.ipv4\.(?:ip_forward|conf\.(?:all|default)\.forwarding) ?[=:] ?0\b`, `net/ipv4/ip_forward(?:[\s:=]+)0\b`,
	`net\.ipv6\.conf\.all\.forwarding ?[=:] ?0\b`, `IPv[46] forwarding is (?:disabled|off|not enabled)`,
	`(?:ip|packet|IPv[46]) ?forward(?:ing)? (?:is )?(?:not enabled|disabled|turned off)`,
	`FileContent--proc-sys-net-ipv4-ip_forward`, `ip_forward.{0,40}(?:must|should|needs to) be (?:set to )?(?:1|enabled)`,
)

var _ = Register(Rule{
	Code:  IPForwardDisabled,
	Title: "the node's kernel does not forward packets",
	Hint:  "net.ipv4.ip_forward is 0, often set back by a sysctl file or a hardening tool: the node drops what is not for itself.",
	Suppresses: []Code{CoreDNSDown, DNSUpstreamFailure, EgressBlocked, NodeRouteMissing, MTUMismatch, ServiceSelectorMismatch, NotNetworkApplication, KernelModuleMissing,
		NotNetworkRuntime, CNIAPIServerUnreachable},
	Fix: []string{
		"sysctl -w net.ipv4.ip_forward=1   # on <node>",
		"echo net.ipv4.ip_forward=1 > /etc/sysctl.d/99-kubernetes.conf; grep -r ip_forward /etc/sysctl.conf /etc/sysctl.d   # who sets it back?",
	},
	Refutes: "sysctl net.ipv4.ip_forward printing 1 on the node",
	Looks:   []fact.Sort{fact.NetworkState},
	Match: func(f *fact.Facts) []Finding {
		var found Finding
		for _, key := range []string{"net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"} {
			for _, s := range f.Sysctls {
				if s.Key == key && s.Value == "0" {
					found.quote(s.Quote)
					found.on(s.Node)
				}
			}
		}
		if len(found.Evidence) > 0 {
			found.Confidence, found.direct, found.Step = 0.97, true, string(fact.NetworkState)
			found.Refutes = "sysctl net.ipv4.ip_forward printing 1 on the node; looked for: it printed 0"
			return []Finding{found}
		}
		if len(f.Sysctls) > 0 && f.Whole {
			return nil // the settings themselves are there and good
		}
		return some(cite(0.95, current(f, f.Said(forwardOff))))
	},
})

var (
	looseRPF = fact.Say("Calico refuses a loose reverse path filter",
		`kernel's RPF check is set to 'loose'`, `RPF check is set to 'loose'`, `rp_filter to be set to 0 or 1`, `IgnoreLooseRPF`,
	)
	martian = fact.Say("the kernel drops packets by reverse path filter",
		`martian source [\d.]+ from [\d.]+`, `IPReversePathFilter[: ]+[1-9]`, `\d+ .{0,20}(?:dropped|discarded).{0,40}reverse path filter`,
		`rp_filter ?(?:=|is|set to) ?1\b.{0,160}(?:drop|strict)`, `strict (?:reverse path|rp_filter|rpf).{0,120}(?:drop|discard|block)`,
		`(?:reverse path filter(?:ing)?|rp_filter).{0,120}(?:drop(?:s|ped|ping)?|discard|block|strict)`,
		`net\.ipv4\.conf\.\S+\.rp_filter ?= ?1\b.{0,200}(?:drop|strict)`,
	)
)

var _ = Register(Rule{
	Code:  RPFilterStrict,
	Title: "the kernel's reverse path filter does not fit the CNI",
	Hint:  "Strict filtering drops packets that arrive on another interface than the route back would use; Calico on the other hand refuses to start with loose filtering.",
	Fix: []string{
		"sysctl -a 2>/dev/null | grep '\\.rp_filter'; nstat -az TcpExtIPReversePathFilter   # on <node>: the higher of all and the interface counts",
		"sysctl -w net.ipv4.conf.all.rp_filter=0   # on <node>, or 1 where Calico asks for it; then in /etc/sysctl.d, after systemd's 50-default.conf",
	},
	Refutes: "TcpExtIPReversePathFilter standing still while the traffic fails",
	Looks:   []fact.Sort{fact.NetworkState, fact.KernelLog},
	Match: func(f *fact.Facts) []Finding {
		found := some(cite(0.9, current(f, f.Said(looseRPF))))
		confidence, said := 0.85, current(f, f.Said(martian))
		if f.Whole {
			// Martians also come from misaddressed neighbours, and a counter is
			// judged beside those of other nodes.
			confidence, said = 0.55, without(said, filterCounter)
		}
		found = append(found, some(cite(confidence, said))...)
		found = append(found, contradicted(f, "node.rp-filter", 0.8)...)
		return append(found, filtered(f)...)
	},
})

var filterCounter = regexp.MustCompile(`TcpExtIPReversePathFilter`)

// manyFiltered is how many dropped packets are more than what is left of some
// earlier trouble: the kernel counts since it started.
const manyFiltered = 20

// filtered are nodes of the failed check whose kernel counted packets that the
// reverse path filter dropped, more than the other nodes' did. What it drops is
// missed by pods first: other checks are blocked then. Checks of a node's other
// settings are about those: the counter may tell of trouble long over.
func filtered(f *fact.Facts) []Finding {
	counted := map[string]fact.Counter{}
	for _, c := range f.Counters {
		if c.Name == "TcpExtIPReversePathFilter" {
			counted[c.Node] = c
		}
	}
	var found []Finding
	for node, c := range counted {
		if c.Value == 0 || f.Check == nil || f.Check.Area != "pod" && f.Check.ID != "node.rp-filter" || !about(f.Check, []string{node}) {
			continue
		}
		one := Finding{Confidence: 0.6, Step: string(fact.NetworkState), Title: fmt.Sprintf("the reverse path filter of %s dropped %d packets", node, c.Value)}
		for other, o := range counted {
			if other != node && o.Value*10 < c.Value && c.Value >= manyFiltered {
				one.Confidence = 0.85
			}
		}
		one.on(node)
		one.quote(c.Quote)
		for _, s := range f.Sysctls {
			if s.Node == node && strings.HasSuffix(s.Key, ".rp_filter") && s.Value == "1" && !strings.Contains(s.Key, ".lo.") {
				one.quote(s.Quote)
			}
		}
		found = append(found, one)
	}
	return found
}

var conntrackFull = fact.Say("the connection tracking table is full",
	`(?:nf|ip)_conntrack: (?:\S+ )?table full`, `conntrack.{0,20}table (?:is )?full`, `nf_conntrack.{0,40}dropping packet`,
	`conntrack table (?:has )?(?:reached|hit|exceeded)`, `maximum limit of \d+ entries exceeded`,
)

var _ = Register(Rule{
	Code:       ConntrackFull,
	Title:      "the node's connection tracking table is full",
	Hint:       "Every connection through the node takes an entry; when there is none left the kernel drops the first packets of new ones.",
	Suppresses: []Code{DNSUpstreamFailure, EgressBlocked, CoreDNSDown, ServiceSelectorMismatch, NotNetworkApplication, IngressBlocked},
	Fix: []string{
		"cat /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max; conntrack -S   # on <node>",
		"sysctl -w net.netfilter.nf_conntrack_max=<twice as many>   # on <node>; kube-proxy sets it by conntrack.maxPerCore",
		"conntrack -L | awk '{print $5}' | sort | uniq -c | sort -n | tail   # on <node>: who holds them",
	},
	Refutes: "nf_conntrack_count well below nf_conntrack_max",
	Looks:   []fact.Sort{fact.KernelLog, fact.NetworkState},
	Match: func(f *fact.Facts) []Finding {
		said := current(f, f.Said(conntrackFull))
		// A table with room again was full for a moment, or the log is that of a
		// host which other containers write to.
		lasting := where(said, func(s fact.Statement) bool { return !roomy(f, s.Node) })
		found := cite(0.95, lasting)
		if len(lasting) == 0 {
			found = cite(0.5, said)
		}
		for _, s := range f.Sysctls {
			if s.Key != "net.netfilter.nf_conntrack_count" && s.Key != "net.nf_conntrack_count" {
				continue
			}
			limit, ok := f.Sysctl(s.Node, strings.Replace(s.Key, "count", "max", 1))
			used, err1 := strconv.Atoi(s.Value)
			most, err2 := strconv.Atoi(limit.Value)
			if !ok || err1 != nil || err2 != nil || most == 0 || used*100 < most*95 {
				continue
			}
			found.quote(s.Quote)
			found.quote(limit.Quote)
			found.on(s.Node)
			found.Confidence, found.direct = 0.93, true
			found.Title = fmt.Sprintf("the connection tracking table of %s is full: %d of %d entries", s.Node, used, most)
		}
		return some(found)
	},
})

// roomy tells whether the node's connection tracking table is known to have room.
func roomy(f *fact.Facts, node string) bool {
	count, counted := f.Sysctl(node, "net.netfilter.nf_conntrack_count")
	limit, limited := f.Sysctl(node, "net.netfilter.nf_conntrack_max")
	used, err1 := strconv.Atoi(count.Value)
	most, err2 := strconv.Atoi(limit.Value)
	return counted && limited && err1 == nil && err2 == nil && used*100 < most*80
}

var moduleMissing = fact.Say("a kernel module that networking needs is not there",
	`modprobe: (?:FATAL|ERROR): (?:Module|could not insert) '?(?P<module>[\w-]+)`, `modprobe: can't (?:load|change)`,
	`/proc/sys/net/bridge/bridge-nf-call-ip6?tables:? (?:does not exist|no such file)`, `bridge-nf-call-ip6?tables"?: no such file`,
	`FileContent--proc-sys-net-bridge-bridge-nf-call-ip6?tables`, `failed to check br_netfilter`,
	`error registering network: operation not supported`, `failed to create (?:vxlan|ipip|wireguard|ipvlan|macvlan|geneve|veth|bridge)\S*( device| link| interface)?.{0,60}: (?:operation not supported|not supported|protocol not supported)`,
	`(?:vxlan|ipip|wireguard|ipvlan|macvlan|geneve|dummy|veth).{0,80}(?:operation not supported|unknown device type|RTNETLINK answers: (?:operation not supported|not supported))`,
	`(?:flannel exited|VXLAN init\S*|VXLAN)\S*:? operation not supported`, `unknown device type`, `can't initialize ip6?tables table [\x60'"](?P<table>\w+)'?: (?:table does not exist|.{0,60}insmod)`, `do you need to insmod`,
	`missing kernel module`, `kernel module '?"?(?P<module>[\w-]+)'?"? (?:is )?(?:not (?:found|loaded|available)|missing|required)`,
	`(?:could not|couldn't|unable to|failed to) load (?:kernel )?module "?'?(?P<module>br_netfilter|vxlan|nf_conntrack|overlay|ip_tables|iptable_\w+|ip6table_\w+|xt_\w+|wireguard|ipip|ip_set\S*|nf_tables|sch_\w+|cls_bpf|dummy)`,
	`Module "?(?P<module>[\w-]+)"? not found in directory`, `(?:ipset|iptables|ip6tables|nft).{0,100}(?:kernel (?:module|support)|protocol not supported|module not found)`,
	`kernel (?:is )?(?:missing|lacks|does not (?:support|have)|doesn't support).{0,60}(?:vxlan|bpf|module|conntrack|ipset|nftables|CONFIG_)`, `requires kernel (?:config|module)`, `CONFIG_\w+(?:=[my])? (?:is )?(?:not set|required|missing|disabled)`,
	`couldn't load (?:match|target) [\x60'"](?P<module>\w+)'`,
)

// unfilteredBridges are nodes whose bridges bypass iptables, so that Services do
// not work between pods of one bridge, where the bridges of other nodes do not.
func unfilteredBridges(f *fact.Facts) []Finding {
	const key = "net.bridge.bridge-nf-call-iptables"
	var off []fact.Sysctl
	on := false
	for _, s := range f.Sysctls {
		if s.Key == key {
			on = on || s.Value == "1"
			if s.Value == "0" {
				off = append(off, s)
			}
		}
	}
	var found []Finding
	for _, s := range off {
		if !on {
			continue // as the cluster wants it: Cilium, Calico and others need it not
		}
		one := Finding{Confidence: 0.7, Step: string(fact.NetworkState), Title: "bridged packets bypass iptables on " + s.Node + ": br_netfilter is not loaded or " + key + " is 0",
			Fix: []string{"modprobe br_netfilter && sysctl -w " + key + "=1   # on " + s.Node}}
		one.on(s.Node)
		one.quote(s.Quote)
		found = append(found, one)
	}
	return found
}

// mayIgnore matches warnings that say of themselves that they may be ignored.
var mayIgnore = regexp.MustCompile(`(?i)ignore the error if`)

// daemonsUp tells whether all pods of the CNI and of kube-proxy are ready.
func daemonsUp(f *fact.Facts) bool {
	seen := false
	for _, p := range f.Pods {
		if daemonPod.MatchString(p.Name) || strings.HasPrefix(p.Name, "kube-proxy") {
			seen = true
			if !p.Up() {
				return false
			}
		}
	}
	return seen
}

var _ = Register(Rule{
	Code:       KernelModuleMissing,
	Title:      "the node's kernel lacks a module that the network needs",
	Hint:       "br_netfilter, vxlan, nf_conntrack, xt_* and others are often in a package of their own (linux-modules-extra) or not loaded at boot.",
	Suppresses: []Code{CNIDaemonCrashLoop, CNIDaemonUnreachable, CNIConfigMissing, KubeProxyDown, NotNetworkApplication},
	Fix: []string{
		"modprobe br_netfilter vxlan nf_conntrack; lsmod | grep -e br_netfilter -e vxlan   # on <node>",
		"apt-get install linux-modules-extra-$(uname -r)   # on <node>, Ubuntu (Raspberry Pi: linux-modules-extra-raspi)",
		"printf 'overlay\\nbr_netfilter\\n' > /etc/modules-load.d/k8s.conf   # on <node>",
	},
	Refutes: "the module in lsmod or built in (modules.builtin)",
	Looks:   []fact.Sort{fact.KernelLog, fact.CNIPodLog},
	Match: func(f *fact.Facts) []Finding {
		said := without(unserved(f, f.Said(moduleMissing)), mayIgnore)
		if f.Whole && daemonsUp(f) {
			said = nil // built in, or not needed: what networks the node is up
		}
		found := some(cite(scopedTree(f, 0.88, 0.5), said))
		return append(found, unfilteredBridges(f)...)
	},
})
