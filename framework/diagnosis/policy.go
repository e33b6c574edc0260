// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What CNIs that enforce policies log: Cilium's monitor and Hubble, weave-npc,
// kube-router, OVN's ACL log, Antrea's, GKE's and the AWS network policy
// agent's.
var policyVerdict = fact.Say("a policy drops packets",
	`Policy denied`, `policy-verdict:\w+ (?:L3-Only |L4-Only )?(?:INGRESS|EGRESS) DENIED`, `\b(?:POLICY_DENIED|POLICY_DENY)\b`,
	`verdict[=: "]+(?:DENY|DENIED|DROP(?:PED)?|REJECT)\b`, `blocked by Weave NPC`,
	`DROP by policy (?P<policy>\S+)`, `acl_log.{0,200}(?:verdict=(?:drop|reject)|name="(?P<policy>[^"]*)".{0,60}verdict=drop)`,
	`"disposition": ?"deny"`, `NetworkPolicy(?:Drop|Reject)\b`, `AntreaPolicy\S* .{0,120}\b(?:drop|reject)\b`,
	`(?:denied|blocked|dropped|rejected) by (?:a |the )?(?:network ?policy|networkpolicy|policy|calico)(?: (?P<policy>[\w./-]+))?`,
	`(?:network ?policy|networkpolicy) .{0,80}(?:den(?:ies|ied)|block(?:s|ed|ing)|drop(?:s|ped)) (?:the )?(?:traffic|connection|packet|ingress|egress|request)`,
	`calico-(?:packet|drop):? ?.{0,40}IN=`, `Dropped by (?:network policy|NPC)`, `EGRESS (?:DENY|DROP)|INGRESS (?:DENY|DROP)`,
)

var _ = Register(Rule{
	Code:       NetworkPolicyBlocks,
	Title:      "a network policy drops the traffic",
	Hint:       "A policy that selects a pod isolates it: in the directions it names, only what some policy allows gets through, DNS included.",
	Suppresses: []Code{DNSUpstreamFailure, EgressBlocked, IngressBlocked, ServiceSelectorMismatch, NotNetworkApplication, ServicePortMismatch},
	Fix: []string{
		"kubectl get networkpolicies,ciliumnetworkpolicies,globalnetworkpolicies -A 2>/dev/null   # which select the pods?",
		"kubectl describe networkpolicy <name> -n <namespace>   # allow the traffic there, and UDP and TCP 53 to kube-dns when egress is isolated",
	},
	Refutes: "the traffic failing all the same without the policy, or between pods no policy selects",
	Looks:   []fact.Sort{fact.Objects, fact.CNIPodLog},
	Match: func(f *fact.Facts) []Finding {
		said := current(f, f.Said(policyVerdict))
		found := cite(0.93, said)
		if name := arg(said, "policy"); name != "" {
			found.Title = "the network policy " + name + " drops the traffic"
		}
		policies := isolating(f)
		if len(found.Evidence) > 0 {
			for _, p := range policies {
				found.quote(p.Quote)
				found.Title = "the network policy " + p.Namespace + "/" + p.Name + " drops the traffic"
			}
			return []Finding{found}
		}
		return silentPolicy(f, policies)
	},
})

// isolating are policies that leave pods with less than all traffic.
func isolating(f *fact.Facts) []fact.Policy {
	var all []fact.Policy
	for _, p := range f.Policies {
		if p.Ingress || p.Egress {
			all = append(all, p)
		}
	}
	return all
}

// failedProbe is what curl, agnhost, ping and wget say when they time out.
var failedProbe = fact.Say("a probe's connection timed out",
	`curl: \(28\)`, `(?m:^(?-i:TIMEOUT)\r?$)`, `\d received, 100% packet loss`, `download timed out`, `connection timed out`, `i/o timeout`, `rc=124`,
)

// silentPolicy names policies that isolate pods, where probes of the same
// evidence time out; enforcement leaves no log then.
func silentPolicy(f *fact.Facts, policies []fact.Policy) []Finding {
	timeouts := where(f.Said(failedProbe), func(s fact.Statement) bool { return s.Sort == fact.ProbeResult })
	if len(timeouts) == 0 && !checkTimedOut(f) {
		return nil
	}
	var found []Finding
	for _, p := range policies {
		confidence, what := 0.82, "allows nothing"
		if !p.AllowsNothing {
			confidence, what = 0.5, "allows only what it lists"
		}
		one := Finding{Confidence: confidence, Step: string(fact.Objects), Title: fmt.Sprintf("the network policy %s/%s isolates pods and %s", p.Namespace, p.Name, what),
			Fix: []string{fmt.Sprintf("kubectl describe networkpolicy %s -n %s   # allow the traffic there, and UDP and TCP 53 to kube-dns when egress is isolated", p.Name, p.Namespace)}}
		one.quote(p.Quote)
		for _, t := range timeouts {
			one.quote(t.Latest().Quote)
		}
		switch {
		case cutsDNS(f, p):
			one.Confidence, one.direct = 0.95, true
			one.Title = fmt.Sprintf("the network policy %s/%s lets nothing reach the cluster's DNS servers", p.Namespace, p.Name)
		case f.Check != nil && f.Check.Area == "dns" && p.ForgetsDNS && (p.Namespace == "" || concerns(f, p)):
			one.Confidence, one.direct = 0.95, true
			one.Title = fmt.Sprintf("the network policy %s lets pods out to ports of which 53, DNS, is none", strings.TrimPrefix(p.Namespace+"/"+p.Name, "/"))
		case !concerns(f, p):
			continue
		}
		found = append(found, one)
	}
	return found
}

// cutsDNS tells whether a check of DNS failed and a policy isolates DNS' own pods from
// everybody.
func cutsDNS(f *fact.Facts, p fact.Policy) bool {
	return f.Check != nil && f.Check.Area == "dns" && p.Ingress && p.AllowsNothing && p.Namespace == "kube-system" &&
		selects(p.Selector, map[string]string{"k8s-app": "kube-dns"})
}

var timedOut = regexp.MustCompile(`(?i)timed out|timeout|deadline|no answer|unreachable`)

// checkTimedOut tells whether the failed check saw packets vanish.
func checkTimedOut(f *fact.Facts) bool {
	if f.Check == nil {
		return false
	}
	for _, failure := range f.Check.Failures {
		if timedOut.MatchString(failure.Observed) {
			return true
		}
	}
	return false
}

// concerns tells whether a policy's namespace is that of pods the failed check
// names; without a check any namespace with pods in it.
func concerns(f *fact.Facts, p fact.Policy) bool {
	for _, pod := range f.Pods {
		ip, err := netip.ParseAddr(pod.IP)
		if p.Namespace != "" && pod.Namespace != p.Namespace || err != nil || !ip.IsValid() || !selects(p.Selector, pod.Labels) {
			continue
		}
		if f.Check == nil || !f.Check.Names(pod.ID()) {
			if f.Check != nil && f.Check.HasPods() {
				continue
			}
		}
		return true
	}
	return f.Check != nil && f.Check.NamesNamespace(p.Namespace)
}

// selects tells whether labels fit a selector; unknown labels fit any.
func selects(selector, labels map[string]string) bool {
	if len(labels) == 0 {
		return true
	}
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}
