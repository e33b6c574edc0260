// SPDX-License-Identifier: Apache-2.0

package diagnosis

import "github.com/cniproof/cniproof/framework/diagnosis/fact"

// resolvConfMissing is what the kubelet says when the file that pods' resolv.conf
// begins with cannot be read: no pod starts then.
var resolvConfMissing = fact.Say("the resolv.conf that the kubelet hands to pods cannot be read",
	`open (?P<file>\S*resolv\.conf): no such file or directory`, `resolv\.conf"?: (?:no such file|permission denied|too many)`,
	`(?:couldn't|could not|failed to|unable to) (?:find|read|open|parse|get|stat) .{0,40}resolv\.conf`,
)

// What the kubelet (pkg/kubelet/network/dns) and resolvers say of a pod's
// resolv.conf.
var podDNS = fact.Say("a pod's resolv.conf is cut short or cannot be made",
	`nameserver limits (?:were )?exceeded`, `DNSConfigForming`, `search line limits (?:were )?exceeded`, `some (?:nameservers|search paths) have been omitted`,
	`resolv\.conf file '?\S*'? contains (?:search line|too many|a search)`, `CheckLimitsForResolvConf`,
	`invalid (?:dnsPolicy|DNSPolicy|dns ?config)`, `ClusterFirst is not (?:supported|set)|kubelet does not have ClusterDNS IP configured`, `MissingClusterDNS`,
	`dnsConfig.{0,60}(?:invalid|required|must)`, `spec\.dnsConfig\.(?:nameservers|searches)`,
)

// podDNSSpec is what a pod asks for, which only somebody who pasted it means to
// be wrong.
var podDNSSpec = fact.Say("a pod's DNS settings are not the default",
	`ndots:? ?(?:[6-9]|1[0-9])\b`, `dnsPolicy: ?(?:Default|None)\b`,
)

var _ = Register(Rule{
	Code:  PodDNSMisconfigured,
	Title: "the pod's resolv.conf is not what it should be",
	Hint:  "glibc takes three name servers; the kubelet cuts what the node's resolv.conf or the pod's dnsConfig has beyond that, and leaves clusterDNS out where dnsPolicy says so.",
	Fix: []string{
		"kubectl exec <pod> -- cat /etc/resolv.conf; kubectl get pod <pod> -o jsonpath='{.spec.dnsPolicy} {.spec.dnsConfig}'",
		"cat /etc/resolv.conf; grep -e resolvConf -e clusterDNS -A2 /var/lib/kubelet/config.yaml   # on <node>: at most three name servers, and the file exists",
	},
	Refutes: "the pod's resolv.conf naming the cluster's DNS Service and the cluster's search domains",
	Looks:   []fact.Sort{fact.KubeletLog, fact.PodStatus},
	Match: func(f *fact.Facts) []Finding {
		if f.Whole {
			// Surplus name servers are cut on many healthy clusters.
			found := some(cite(scoped(f, "dns", 0.6, 0), current(f, f.Said(podDNS))))
			byKubelet := where(unserved(f, f.Said(resolvConfMissing)), func(s fact.Statement) bool {
				return s.Sort == fact.KubeletLog || s.Sort == fact.PodStatus
			})
			missing := cite(0.9, byKubelet)
			if file := arg(byKubelet, "file"); file != "" {
				missing.Title = "the kubelet hands pods " + file + ", which does not exist"
			}
			found = append(found, some(missing)...)
			found = append(found, contradicted(f, "dns.pod-resolv-conf", 0.9)...)
			return append(found, contradicted(f, "audit.pod-dns", 0.9)...)
		}
		return append(some(cite(0.9, f.Said(podDNS, resolvConfMissing))), some(cite(0.6, f.Said(podDNSSpec)))...)
	},
})

// checkSays is a finding on the word of the failed check alone, where the check
// measures the very thing.
func checkSays(f *fact.Facts, area string, confidence float64) []Finding {
	if f.Check == nil || f.Check.Area != area || len(f.Check.Failures) == 0 {
		return nil
	}
	found := Finding{Confidence: confidence, Step: string(fact.ProbeResult)}
	found.quote(f.Check.Quote)
	for _, failure := range f.Check.Failures {
		found.on(failure.Node)
	}
	return []Finding{found}
}

// contradicted is checkSays for one check, whose claim is the opposite of the cause.
func contradicted(f *fact.Facts, id string, confidence float64) []Finding {
	if f.Check == nil || f.Check.ID != id {
		return nil
	}
	return checkSays(f, f.Check.Area, confidence)
}

// scoped is how much a finding counts: when the failed check is of its area,
// and otherwise.
func scoped(f *fact.Facts, area string, ofArea, otherwise float64) float64 {
	if f.Check != nil && f.Check.Area == area {
		return ofArea
	}
	return otherwise
}
