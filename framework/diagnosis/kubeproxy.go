// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What kube-proxy says before it exits, and what it says when it works
// differently from what was asked of it (cmd/kube-proxy, pkg/proxy).
var (
	proxyFatal = fact.Say("kube-proxy exits at start",
		`kube-proxy\S* +0/1 +(?:CrashLoopBackOff|Error|Pending|ImagePullBackOff|CreateContainerConfigError|ContainerCreating|RunContainerError|OOMKilled)`,
		`back-off restarting failed container.{0,60}kube-proxy`, `open /proc/sys/net/netfilter/nf_conntrack_max: permission denied`,
		`(?:kube-proxy|proxy).{0,60}(?:failed complete|run failed|error running ProxyServer)`, `"(?:Failed complete|Error running ProxyServer|Unable to create proxier)"`,
		`unable to create proxier`, `kube-proxy.{0,120}(?:too many open files|connection refused|no such file or directory|panic)`,
		`open /var/lib/kube-proxy/\S+: no such file`, `kube-proxy(?:\.service)? .{0,60}(?:is not running|not running|failed|inactive|is down|stopped)`,
		`127\.0\.0\.1:(?:10249|10256).{0,60}connection refused`, `:10256/healthz.{0,60}(?:connection refused|no route)`,
	)
	proxyFallback = fact.Say("kube-proxy does not work in the mode asked for, or not as the cluster is",
		`can't use (?:the )?(?:ipvs|iptables|nftables) proxier`, `using (?:iptables|userspace) proxier?.{0,20}(?:fall|instead)`, `falling back to (?:iptables|userspace)`,
		`failed to load kernel module .{0,60}(?:ip_vs|nf_conntrack)\S* with modprobe`, `IPVS proxier will not be used`, `required kernel modules .{0,60}(?:ipvs|not)`,
		`(?:unknown|invalid|unsupported|unrecognized) proxy[- ]?mode`, `Unknown proxy mode`, `proxy mode .{0,60}(?:not supported|unsupported|invalid)`,
		`(?:cluster ?CIDR|clusterCIDR|cluster-cidr|detect-local).{0,80}(?:not specified|mismatch|invalid|does not match|unable to distinguish|is not)`,
		`unable to distinguish between internal and external traffic`, `kube-proxy has no proxy image version`,
		`failed to retrieve node (?:IP|info|information|object).{0,60}nodes? "[^"]*" not found`, `can't determine this node's IP`, `hostname-?override.{0,80}(?:mismatch|not found|wrong)`,
		`failed to execute iptables-restore`, `failed to (?:add|get|update) IPVS service`, `failed to sync (?:endpoint for )?service: `, `(?:iptables|ip6tables)-restore.{0,80}(?:failed|error|invalid|bad)`, `kube-proxy.{0,100}(?:both iptables|legacy.{0,20}nft|nft.{0,20}legacy)`,
		`Flag --proxy-mode`, `invalid configuration: no server found.{0,60}`, `ip_vs.{0,60}(?:not found|not loaded|missing|can't)`,
		`missing br-netfilter module or unset sysctl br-nf-call-iptables`,
	)
	// proxyRefusal is the one reason to exit that its configuration alone gives
	// (cmd/kube-proxy/app/server.go, pkg/proxy/apis/config/validation).
	proxyRefusal = fact.Say("kube-proxy refuses its configuration",
		`failed validate: KubeProxyConfiguration`, `KubeProxyConfiguration\.[\w.\[\]]+: (?:Invalid|Required|Unsupported|Forbidden) value`,
		`kube-proxy.{0,200}(?:failed lenient decoding|failed to decode)`, `no kind "?KubeProxyConfiguration"? is registered`,
	)
	proxyMode = regexp.MustCompile(`(?m)^mode: *"?(\w+)`)
	proxyAuth = regexp.MustCompile(`(?i)kube-proxy`)
)

var _ = Register(Rule{
	Code:       KubeProxyDown,
	Title:      "kube-proxy does not run on the node",
	Hint:       "kube-proxy programs the node's rules for Services; when it is away, new Services and changed endpoints never get there.",
	Suppresses: []Code{CNIAPIServerUnreachable, KubeProxyMisconfigured, CoreDNSDown, ServiceSelectorMismatch, NotNetworkApplication, ServicePortMismatch, CNIDaemonCrashLoop},
	Fix: []string{
		"kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide; kubectl -n kube-system logs <its pod on <node>> --previous",
		"kubectl -n kube-system rollout restart ds/kube-proxy",
	},
	Refutes: "curl -s 127.0.0.1:10256/healthz answering on the node",
	Looks:   []fact.Sort{fact.PodStatus, fact.ProxyLog},
	Match: func(f *fact.Facts) []Finding {
		if len(proxyRefused(f)) > 0 {
			return nil // it is down because of that
		}
		var found Finding
		for _, p := range f.Pods {
			if strings.HasPrefix(p.Name, "kube-proxy") && !p.Up() && p.Status != "" && p.Containers > 0 {
				found.quote(p.Quote)
				found.on(p.Node)
				found.Confidence, found.direct = 0.9, true
				found.Title = fmt.Sprintf("kube-proxy on %s is not up: %s", either(p.Node, "its node"), p.Status)
			}
		}
		for _, n := range withoutProxy(f) {
			found.quote(n.Quote)
			found.on(n.Name)
			found.Confidence, found.direct = 0.88, true
			found.Title = "no kube-proxy pod runs on " + strings.Join(found.Nodes, ", ")
		}
		if found.Step == "" {
			found.Step = string(fact.PodStatus)
		}
		if len(found.Evidence) > 0 || f.Whole {
			return some(found)
		}
		return some(cite(0.85, f.Said(proxyFatal)))
	},
})

// withoutProxy are nodes without a kube-proxy pod where others have one.
func withoutProxy(f *fact.Facts) []fact.Node {
	has := map[string]bool{}
	for _, p := range f.Pods {
		if strings.HasPrefix(p.Name, "kube-proxy") && p.Node != "" {
			has[p.Node] = true
		}
	}
	scheduled := false
	for _, w := range f.Workloads {
		scheduled = scheduled || w.Name == "kube-proxy"
	}
	var without []fact.Node
	for _, n := range f.Nodes {
		if !has[n.Name] && (len(has) > 0 || scheduled && len(f.Pods) > 0) {
			without = append(without, n)
		}
	}
	return without
}

var _ = Register(Rule{
	Code:       KubeProxyMisconfigured,
	Title:      "kube-proxy is not configured as the cluster needs it",
	Hint:       "A mode whose kernel modules are missing, a cluster range that is not the cluster's, or a node name that is not the node's.",
	Suppresses: []Code{ServiceSelectorMismatch, NotNetworkApplication},
	Fix: []string{
		"kubectl -n kube-system get configmap kube-proxy -o yaml   # mode, clusterCIDR",
		"modprobe ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack   # on <node>, for mode ipvs",
		"kubectl -n kube-system rollout restart ds/kube-proxy",
	},
	Refutes: "kube-proxy's log naming the mode asked for, and Service rules on the node",
	Looks:   []fact.Sort{fact.ProxyLog},
	Match: func(f *fact.Facts) []Finding {
		if refused := proxyRefused(f); len(refused) > 0 {
			return refused
		}
		found := some(cite(scopedTree(f, 0.85, 0.5), current(f, f.Said(proxyFallback))))
		for _, node := range withoutServiceRules(f) {
			one := Finding{Confidence: 0.8, Step: string(fact.NetworkState), Title: "the packet filter of " + node.Node + " has no rules for Services, while that of other nodes has"}
			one.on(node.Node)
			one.quote(node.Quote)
			found = append(found, one)
		}
		return found
	},
})

// proxyRefused are findings about a configuration that kube-proxy does not start
// with: it says so, or the ConfigMap has a mode that no version knows, and a
// kube-proxy is not up.
func proxyRefused(f *fact.Facts) []Finding {
	if said := current(f, f.Said(proxyRefusal)); len(said) > 0 {
		found := cite(0.95, said)
		found.direct, found.Title = true, "kube-proxy refuses its configuration"
		return []Finding{found}
	}
	down := slices.ContainsFunc(f.Pods, func(p fact.Pod) bool {
		return strings.HasPrefix(p.Name, "kube-proxy") && !p.Up() && p.Status != "" && p.Containers > 0
	})
	for _, m := range f.Maps {
		mode := proxyMode.FindStringSubmatch(m.Data["config.conf"])
		if !down || m.Name != "kube-proxy" || mode == nil || slices.Contains(proxyModes, mode[1]) {
			continue
		}
		found := Finding{Confidence: 0.9, direct: true, Step: string(fact.Objects), Title: fmt.Sprintf("kube-proxy's configuration has the mode %q, which there is not", mode[1])}
		found.quote(m.Quote)
		return []Finding{found}
	}
	return nil
}

// proxyModes are those of all versions and systems (KubeProxyConfiguration.mode).
var proxyModes = []string{"iptables", "ipvs", "nftables", "kernelspace", "userspace"}

// scopedTree is how much a wording counts in an excerpt, and in evidence of a
// whole cluster, where it may be old or harmless.
func scopedTree(f *fact.Facts, pasted, whole float64) float64 {
	if f.Whole {
		return whole
	}
	return pasted
}

// withoutServiceRules are filters without kube-proxy's chains where another
// node's have them.
func withoutServiceRules(f *fact.Facts) []*fact.Filter {
	var with, without []*fact.Filter
	for _, filter := range f.Filters {
		if filter.V6 || filter.Tool != "iptables" {
			continue
		}
		if c := filter.Chain("nat", "KUBE-SERVICES"); c != nil && len(c.Rules) > 0 {
			with = append(with, filter)
		} else if filter.Chain("nat", "PREROUTING") != nil {
			without = append(without, filter)
		}
	}
	served := map[string]bool{}
	for _, filter := range with {
		served[filter.Node] = true
	}
	var bare []*fact.Filter
	for _, filter := range without {
		if len(with) > 0 && !served[filter.Node] && filter.Node != "" {
			bare = append(bare, filter)
		}
	}
	return bare
}
