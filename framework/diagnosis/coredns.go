// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

var (
	corednsFatal = fact.Say("CoreDNS exits at start",
		`plugin/loop: .{0,160}(?:detected|more than twice)`, `\bloop \S+ -> \S+\) detected for zone`, `detected loop .{0,80}zone|Forwarding loop detected`,
		`Corefile:\d+ - Error during parsing`, `Error during parsing: Unknown directive`, `Unknown directive '(?P<directive>[\w.-]+)'`,
		`listen (?:tcp|udp) \S*:53: bind: (?:address already in use|permission denied|cannot assign)`,
		`plugin/(?:kubernetes|forward|proxy|cache|rewrite|hosts|file|template|acl|auto|errors|health|ready): (?:unknown property|wrong argument|invalid|not an IP|missing|cannot|Unknown)`,
		`Failed to initialize server|no plugin .{0,40}(?:registered|found)`, `coredns.{0,60}(?:exit code [1-9]|permission denied)`,
		`Error: (?:Corefile|could not (?:find|load|open) .{0,20}Corefile)`, `open /etc/coredns/Corefile: no such file`, `loading Caddyfile via`,
		`exec (?:user process caused|/coredns): .{0,60}operation not permitted`, `standard_init_linux.{0,60}coredns`,
	)
	corednsReload = fact.Say("CoreDNS runs on with an older Corefile, as the new one does not parse",
		`plugin/reload: Corefile changed but reload failed`, `Restart failed: .{0,200}`, `Failed to reload Corefile`,
	)
	corednsWaits = fact.Say("CoreDNS cannot reach the API server",
		`plugin/kubernetes: .{0,300}(?:i/o timeout|connection refused|no route to host|network is unreachable|deadline exceeded|Unauthorized|forbidden)`,
		`plugin/ready: (?:Still waiting on|Plugins not ready): "?kubernetes`, `plugin/kubernetes: (?:waiting for Kubernetes API|Kubernetes API connection failure|starting server with unsynced)`,
	)
	dnsUnanswered = fact.Say("the cluster's DNS does not answer for a name of the cluster",
		`lookup \S+\.svc\S* on \S+: (?:read|dial|write) (?:udp|tcp).{0,120}(?:i/o timeout|connection refused|no route|unreachable)`,
		`lookup \S+\.svc\S*(?: on \S+)?: (?:i/o timeout|server misbehaving)`,
		`(?:can't resolve|could not resolve host:?|bad address) '?kubernetes\.default\S*`,
	)
	dnsServerDead = fact.Say("the cluster's DNS server refuses or is not there",
		`(?:dial|read|write) (?:udp|tcp) .{0,60}(?:\.10|\.0\.10):53: .{0,30}(?:connection refused|no route to host)`,
		`(?:coredns|kube-dns)\S* +\d+/\d+ +(?:CrashLoopBackOff|Error|Pending|ContainerCreating|ImagePullBackOff|Init:\S+|Evicted|OOMKilled)`,
		`(?:coredns|kube-dns)\S* +0/[1-9]\d* +Running`, `deployment\S*/coredns +0/\d+`, `\bcoredns +0/\d+ +\d+ +\d+`,
		`kube-dns +<none> +\d`, `(?:kube-dns|coredns) .{0,60}(?:no endpoints|has no (?:ready )?endpoints|endpoints.{0,10}<none>)`,
		`back-off restarting failed container.{0,60}coredns`,
		`no endpoints available for service "?kube-dns`,
	)
)

// reloading matches a running CoreDNS that keeps its older Corefile.
var reloading = regexp.MustCompile(`(?i)reload failed|Restart failed`)

// corefileFault matches lines that name a fault of the Corefile itself.
var corefileFault = regexp.MustCompile(`(?i)loop|parsing|directive|unknown property|wrong argument|Corefile`)

var _ = Register(Rule{
	Code:       CoreDNSDown,
	Title:      "CoreDNS is not up",
	Hint:       "No ready CoreDNS pod stands behind the kube-dns Service: scaled to zero, crashing, or its pods cannot start.",
	Suppresses: []Code{DNSUpstreamFailure, ServiceSelectorMismatch, NotNetworkApplication, PodDNSMisconfigured},
	Fix: []string{
		"kubectl -n kube-system get deploy/coredns pods -l k8s-app=kube-dns -o wide; kubectl -n kube-system logs -l k8s-app=kube-dns --previous",
		"kubectl -n kube-system scale deploy/coredns --replicas=2",
	},
	Refutes: "ready addresses in the EndpointSlices of kube-system/kube-dns",
	Looks:   []fact.Sort{fact.PodStatus, fact.Objects},
	Match: func(f *fact.Facts) []Finding {
		if zero := append(scaledToZero(f), gone(f)...); len(zero) > 0 {
			return zero[:1]
		}
		fatal := without(current(f, f.Said(corednsFatal)), reloading)
		found := cite(0.9, fatal)
		if len(fatal) > 0 && corefileFault.MatchString(found.Evidence[0].Text) {
			found.Title = "CoreDNS exits at start: " + corefileStory(fatal)
			found.Fix = []string{
				"kubectl -n kube-system edit configmap coredns   # correct the Corefile; a loop: forward to a real server instead of /etc/resolv.conf",
				"kubectl -n kube-system rollout restart deploy/coredns",
			}
		}
		if f.Whole && len(fatal) > 0 && allUp(f) {
			found = Finding{} // it is up by now
		}
		for _, p := range notReady(f) {
			found.quote(p.Quote)
			found.Confidence = max(found.Confidence, 0.75)
		}
		if unstarted(f, imageMissing) || unstarted(f, withoutNode) {
			found.Confidence = min(found.Confidence, 0.5) // whatever keeps them from starting has a code of its own
		}
		if len(found.Evidence) == 0 && !f.Whole {
			found = cite(0.8, f.Said(dnsServerDead))
			if unanswered := f.Said(dnsUnanswered); len(found.Evidence) == 0 && len(unanswered) > 0 && len(f.Said(outOfPod)) == 0 {
				found = cite(0.5, unanswered)
				found.Title = "the cluster's DNS does not answer"
			}
		}
		if len(found.Evidence) == 0 {
			found = cite(scoped(f, "dns", 0.55, 0.35), whileDown(f, current(f, f.Said(corednsWaits))))
			found.Title = "CoreDNS is not ready: it cannot reach the API server"
		}
		if found.Step == "" {
			found.Step = string(fact.PodStatus)
		}
		return some(found)
	},
})

// whileDown keeps what CoreDNS said of waiting for the API server unless it is
// known to be up: every CoreDNS waits a moment at start.
func whileDown(f *fact.Facts, said []fact.Saying) []fact.Saying {
	if f.Whole && allUp(f) {
		return nil
	}
	return said
}

func corefileStory(said []fact.Saying) string {
	text := strings.ToLower(said[0].Latest().Text)
	switch {
	case strings.Contains(text, "loop"):
		return "it forwards queries to itself (loop)"
	case arg(said, "directive") != "":
		return fmt.Sprintf("the Corefile has the unknown directive %q", arg(said, "directive"))
	}
	return "its Corefile does not parse"
}

// dnsPod tells whether a pod is one of the cluster DNS'.
func dnsPod(p fact.Pod) bool {
	return strings.HasPrefix(p.Name, "coredns") || strings.HasPrefix(p.Name, "kube-dns") || p.Labels["k8s-app"] == "kube-dns"
}

func scaledToZero(f *fact.Facts) []Finding {
	for _, w := range f.Workloads {
		if w.Kind != "deployment" || w.Name != "coredns" && w.Name != "kube-dns" || w.Desired != 0 {
			continue
		}
		found := Finding{Confidence: 0.97, direct: true, Step: string(fact.PodStatus),
			Title: fmt.Sprintf("CoreDNS is scaled to zero: %s/%s wants 0 replicas", either(w.Namespace, "kube-system"), w.Name),
			Fix:   []string{"kubectl -n " + either(w.Namespace, "kube-system") + " scale deploy/" + w.Name + " --replicas=2"}}
		found.quote(w.Quote)
		for _, e := range f.Endpoints {
			if e.Service == "kube-dns" && len(e.Ready) == 0 {
				found.quote(e.Quote)
			}
		}
		found.Refutes = "ready addresses in the EndpointSlices of kube-system/kube-dns; looked for: " + endpointsStory(f)
		return []Finding{found}
	}
	return nil
}

// gone is a cluster DNS Service without endpoints in a cluster without CoreDNS
// pods, where its Deployment is not in the evidence.
func gone(f *fact.Facts) []Finding {
	for _, p := range f.Pods {
		if dnsPod(p) {
			return nil
		}
	}
	for _, e := range f.Endpoints {
		if e.Service != "kube-dns" || len(e.Ready)+len(e.NotReady) > 0 || len(f.Pods) == 0 {
			continue
		}
		found := Finding{Confidence: 0.93, direct: true, Step: string(fact.Objects), Title: "there is no CoreDNS pod: the kube-dns Service has no endpoints"}
		found.quote(e.Quote)
		return []Finding{found}
	}
	return nil
}

func endpointsStory(f *fact.Facts) string {
	for _, e := range f.Endpoints {
		if e.Service == "kube-dns" {
			return fmt.Sprintf("there are %d", len(e.Ready))
		}
	}
	return "no EndpointSlice in this evidence"
}

// notReady returns CoreDNS' pods when none of them is ready.
func notReady(f *fact.Facts) []fact.Pod {
	var down []fact.Pod
	for _, p := range f.Pods {
		if !dnsPod(p) {
			continue
		}
		if p.Ready > 0 && p.Status == "Running" {
			return nil
		}
		down = append(down, p)
	}
	return down
}

// unstarted tells that CoreDNS is down because none of its pods could be started,
// for a reason that their status shows: some may still be at it.
func unstarted(f *fact.Facts, why func(fact.Pod) bool) bool {
	down := notReady(f)
	other := func(p fact.Pod) bool { return !why(p) && p.Status != "ContainerCreating" }
	return slices.ContainsFunc(down, why) && !slices.ContainsFunc(down, other)
}

func imageMissing(p fact.Pod) bool {
	return strings.Contains(p.Status, "ErrImage") || strings.Contains(p.Status, "ImagePull") || p.Status == "InvalidImageName"
}

func withoutNode(p fact.Pod) bool { return p.Status == "Pending" && p.Node == "" }

// aboutDNS matches what is said of CoreDNS' pods.
var aboutDNS = regexp.MustCompile(`\bcoredns-|\bkube-dns-`)

func allUp(f *fact.Facts) bool {
	seen := false
	for _, p := range f.Pods {
		if dnsPod(p) {
			seen = true
			if !p.Up() {
				return false
			}
		}
	}
	return seen
}

var _ = Register(Rule{
	Code:       CoreDNSMisconfigured,
	Title:      "CoreDNS' configuration is wrong",
	Hint:       "CoreDNS keeps the last Corefile that parsed; a zone, a plugin or a forwarder that is wrong makes it answer wrongly while it looks well.",
	Suppresses: []Code{NotNetworkApplication, DNSUpstreamFailure},
	Fix: []string{
		"kubectl -n kube-system get configmap coredns -o yaml   # the kubernetes plugin with the cluster's domain, and forward to real servers",
		"kubectl -n kube-system logs -l k8s-app=kube-dns | grep -e reload -e ERROR",
	},
	Refutes: "kubernetes.default.svc.<cluster domain> resolving at each CoreDNS pod",
	Looks:   []fact.Sort{fact.DNSLog},
	Match: func(f *fact.Facts) []Finding {
		found := some(cite(0.9, current(f, f.Said(corednsReload))))
		for _, m := range f.Maps {
			corefile, known := m.Data["Corefile"]
			if m.Name != "coredns" || !known || strings.Contains(uncommented(corefile), "kubernetes") {
				continue
			}
			one := Finding{Confidence: 0.9, direct: true, Step: string(fact.Objects), Title: "the Corefile has no kubernetes plugin: CoreDNS knows no Service names"}
			one.quote(m.Quote)
			found = append(found, one)
		}
		return found
	},
})

func uncommented(corefile string) string {
	var kept []string
	for _, line := range strings.Split(corefile, "\n") {
		code, _, _ := strings.Cut(line, "#")
		kept = append(kept, code)
	}
	return strings.Join(kept, "\n")
}
