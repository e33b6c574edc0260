// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"regexp"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What CoreDNS' errors and forward plugins, and Go's resolver in pods, say when
// the servers behind CoreDNS do not answer.
var (
	upstreamTimeout = fact.Say("CoreDNS gets no answer from its upstream",
		`plugin/errors: \d+ (?P<name>\S+) [A-Z0-9]+: (?:read|dial|write) (?:udp|tcp) \S+(?:->(?P<server>[\w.:\[\]-]+))?: .{0,60}`,
		`HINFO: read udp \S+->(?P<server>\S+?): i/o timeout`,
		`read udp (?:\d+\.\d+\.\d+\.\d+):\d+->(?P<server>\d+\.\d+\.\d+\.\d+:53): (?:i/o timeout|read: connection refused|connection refused|no route to host)`,
		`plugin/errors: \d+ \S+ [A-Z0-9]+: (?:no healthy upstream|unreachable backend|dial|plugin/forward|no upstream)`, `plugin/forward: no (?:healthy upstreams|nameservers found)`,
		`unreachable backend: no upstream host|no healthy upstream hosts`,
	)
	upstreamFailure = fact.Say("a name outside the cluster is not resolved",
		`lookup (?P<name>[\w.-]+)(?: on (?P<server>[\d.:a-f\[\]]+))?: (?:server misbehaving|i/o timeout|read udp .{0,80}i/o timeout)`,
		`lookup (?P<name>[\w.-]+) on (?P<server>[\d.:]+): (?:read udp .{0,100}|dial udp .{0,100})(?:i/o timeout|connection refused|no route)`,
		`Temporary failure in name resolution`, `connection timed out; no servers could be reached`, `no servers could be reached`,
		`server can't find (?P<name>[\w.-]+): (?:SERVFAIL|REFUSED)`, `\bstatus: SERVFAIL`, `SERVFAIL`, `getaddrinfo (?:EAI_AGAIN|ETIMEDOUT)`, `could not resolve host: (?P<name>[\w.-]+)`,
		`lookup (?P<name>[\w.-]+):? Try again`, `lookup (?P<name>(?:[\w.-]+\.)?(?:docker\.io|registry\.k8s\.io|gcr\.io|quay\.io|ghcr\.io|mcr\.microsoft\.com|amazonaws\.com|googleapis\.com|github\.com))(?: on \S+)?: no such host`, `bad address '(?P<name>[\w.-]+)'`, `Try again: .{0,40}resol|Name or service not known`,
	)
	// outOfPod is a cluster name asked of a resolver that is not the cluster's.
	outOfPod = clue("a cluster name was asked of the host's own resolver, which cannot know it",
		"ask the cluster's DNS Service instead, or reach the Service by NodePort or Ingress from outside",
		fact.Say("a cluster name was asked of the host's resolver",
			`lookup \S+\.svc(?:\.cluster\.local)?\.? on (?:127\.0\.0\.53|127\.0\.0\.1|127\.0\.1\.1|\[::1\]):53`,
			`lookup \S+\.svc\.cluster\.local(?: on \S+)?: .{0,40}no such host`,
		))
	// ownQuery is the query of CoreDNS' loop plugin, which no client asked for.
	ownQuery = regexp.MustCompile(`HINFO`)
	// clusterName matches names only the cluster's DNS knows.
	clusterName = regexp.MustCompile(`\.svc\b|cluster\.local`)
)

var _ = Register(Rule{
	Code:       DNSUpstreamFailure,
	Title:      "the DNS servers behind CoreDNS do not answer",
	Hint:       "CoreDNS forwards what is not the cluster's to the servers in its own resolv.conf: the node's, unless the Corefile names others.",
	Suppresses: []Code{EgressBlocked, NotNetworkApplication, NotNetworkImagePull},
	Fix: []string{
		"kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}'; cat /etc/resolv.conf   # on <node>: which servers?",
		"dig @<that server> example.com   # from a node, and from a pod: reachable from there, UDP and TCP 53?",
		"kubectl -n kube-system edit configmap coredns   # forward . <servers that answer>",
	},
	Refutes: "the same servers answering a query from a CoreDNS pod",
	Looks:   []fact.Sort{fact.DNSLog},
	Match: func(f *fact.Facts) []Finding {
		said := where(lately(f, forwardMemory(f), f.Said(upstreamTimeout)), func(s fact.Statement) bool { return !ofCluster(s) && !clientLookup.MatchString(s.Text) })
		if f.Whole && f.Check == nil {
			// The loop plugin's own query at start is no client's: without others
			// it says nothing of the cluster's work.
			said = without(said, ownQuery)
		}
		found := cite(0.85, said)
		if server := arg(said, "server"); server != "" {
			found.Title = "the DNS server " + strings.TrimSuffix(server, ":") + " behind CoreDNS does not answer"
		}
		if f.Whole && f.Check != nil && f.Check.Area != "dns" {
			found.Confidence = 0.4
		}
		if len(said) > 0 {
			return []Finding{found}
		}
		if len(f.Said(outOfPod)) > 0 || f.Whole && f.Check == nil {
			return nil
		}
		failed := where(current(f, f.Said(upstreamFailure)), func(s fact.Statement) bool { return !ofCluster(s) && !registryProxy.MatchString(s.Text) })
		found = cite(scoped(f, "dns", 0.7, 0.65), failed)
		if arg(failed, "name") == "" {
			found.Confidence = 0.45 // whatever did not resolve may be the cluster's own
		}
		return some(found)
	},
})

// forwardMemory is how long what CoreDNS says of its upstream holds. A check has just
// asked, so that an upstream that failed it was complained of since; without one,
// nobody may have asked for a while.
func forwardMemory(f *fact.Facts) time.Duration {
	if f.Check != nil {
		return justAsked
	}
	return logMemory
}

// justAsked is what a check takes with all its attempts, and evidence after it.
const justAsked = time.Minute

// registryProxy matches texts in which a name was asked for something else than
// the cluster's work: through a proxy.
var registryProxy = regexp.MustCompile(`(?i)proxyconnect`)

// clientLookup matches a program in a pod that asked for a name: not CoreDNS.
var clientLookup = regexp.MustCompile(`(?i)\blookup\s`)

// ofCluster tells whether the name asked for is the cluster's own: of its domain,
// or without a dot, so that the search list makes it one.
func ofCluster(s fact.Statement) bool {
	name := s.Args["name"]
	return clusterName.MatchString(name) || name != "" && !strings.Contains(strings.Trim(name, "."), ".")
}
