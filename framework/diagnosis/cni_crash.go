// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"regexp"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What CNI daemons say before they exit, and what the kubelet says of them.
var (
	backOff = fact.Say("a container crashes and is restarted with growing delay",
		`back-off (?:[\dms]+ )?restarting failed container(?:[= ](?P<container>[\w-]+))?(?: (?:in )?pod[= ](?P<pod>[\w.-]+))?`,
		`CrashLoopBackOff`,
	)
	daemonFatal = fact.Say("a CNI daemon exits at start",
		`unable to auto-?detect (?:an|any valid|a valid) IPv[46] address`, `calico node failed to start`,
		`couldn't autodetect (?:an|a) IPv[46]`, `Terminating .{0,40}calico`, `calico-node.{0,80}exited with (?:code )?[1-9]`,
		`failed to find (?:any valid )?interface to use`, `could not match pattern \S+ to any of the available network interfaces`,
		`error fetching backend`, `failed to determine (?:MTU|IP|external)`, `error looking up interface`,
		`failed to create SubnetManager: (?:.{0,60}(?:invalid|unmarshal|env variables))`,
		`level=fatal.{0,200}subsys=(?:daemon|cilium|config|ipam|bpf|datapath)`, `error while (?:creating|initializing) daemon`,
		`cilium-agent.{0,120}(?:panic|fatal)`, `failed to start (?:cilium|antrea|calico|ovnkube|kube-router)`,
		`panic: .{0,200}`, `\[signal SIGSEGV`, `fatal error: (?:concurrent map|runtime|all goroutines|unexpected signal)`,
		`aws-node.{0,80}(?:liveness|readiness) probe failed`,
		`(?:liveness|readiness) probe (?:for|failed).{0,120}(?:aws-node|calico-node|cilium-agent|weave-net|kube-flannel|antrea-agent)`,
		`\[kube-peers\] (?:could not|fatal)`, `FATA: .{0,200}`,
	)
	// cniMentioned is a CNI daemon named anywhere in an excerpt: a panic does not
	// name it on its first line.
	cniMentioned = fact.Say("a CNI daemon is named",
		`calico/node|projectcalico|felix\.|flanneld|flannel-io|github\.com/cilium|cilium-agent|weaveworks|antrea\.io|amazon-vpc-cni|ipamd|ovn-kubernetes|cloudnativelabs/kube-router`,
		`(?:calico-node|kube-flannel|cilium|weave-net|aws-node|antrea-agent|ovnkube-node|kube-router|canal)-[a-z0-9]{5}\b`)
	// cniSource matches a daemon's own name or module in what it prints.
	cniSource = regexp.MustCompile(`(?i)calico|felix|flannel|cilium|weave|antrea|aws-node|amazon-vpc-cni|ipamd|ovnkube|kube-router|multus|kindnet|canal|terway|kube-ovn|subsys=`)
)

var _ = Register(Rule{
	Code:       CNIDaemonCrashLoop,
	Title:      "a CNI pod crashes again and again",
	Hint:       "The agent of the CNI on a node does not stay up, so nothing programs routes, rules and addresses there.",
	Suppresses: []Code{CNIDaemonUnreachable, CNIConfigMissing, NodeRouteMissing, CoreDNSDown, NotNetworkApplication, SandboxStale, ServiceSelectorMismatch, DNSUpstreamFailure, KubeProxyDown, MTUMismatch},
	Fix: []string{
		"kubectl -n <its namespace> logs <the CNI's pod on <node>> --all-containers --previous   # what it said before it exited",
		"kubectl -n <its namespace> describe pod <the CNI's pod on <node>>   # exit code, last state, failing probe",
	},
	Refutes: "the CNI's pod being Running and Ready with a steady restart count",
	Looks:   []fact.Sort{fact.PodStatus},
	Match: func(f *fact.Facts) []Finding {
		said := where(current(f, f.Said(backOff)), func(s fact.Statement) bool {
			if p, known := f.PodNamed(s.Pod); known && p.Up() {
				return false
			}
			if m := byKubelet.FindStringSubmatch(s.Text); f.Whole && m != nil && len(f.Pods) > 0 {
				if p, known := f.PodNamed(m[1]); !known || p.Up() {
					return false // it was replaced, or is up again
				}
			}
			return daemonPod.MatchString(s.Pod) || daemonPod.MatchString(s.Args["pod"]) || daemonPod.MatchString(s.Quote.Text)
		})
		found := cite(0.85, said)
		fatal := current(f, f.Said(daemonFatal))
		if f.Whole || len(f.Said(cniMentioned)) == 0 {
			fatal = matching(fatal, cniSource)
		}
		if f.Whole && len(said) == 0 {
			fatal = nil // a daemon that is up again, or another program's panic
		}
		for _, s := range fatal {
			found.quote(s.Latest().Quote)
			found.on(s.Node)
			found.Confidence = max(found.Confidence, 0.82)
		}
		for _, p := range f.Pods {
			if !daemonPod.MatchString(p.Name) || !crashing(p) {
				continue
			}
			found.quote(p.Quote)
			found.on(p.Node)
			found.Confidence = 0.9
			found.Title = fmt.Sprintf("%s on %s is in %s (%d restarts)", p.Name, either(p.Node, "its node"), p.Status, p.Restarts)
		}
		if len(found.Evidence) == 0 && f.Check != nil && restarted.MatchString(f.Check.Reason) {
			return checkSays(f, "cni", 0.75)
		}
		if found.Step == "" {
			found.Step = string(fact.PodStatus)
		}
		return some(found)
	},
})

// byKubelet matches the pod that the kubelet says it restarts, as
// <name>_<namespace>(<uid>).
var byKubelet = regexp.MustCompile(`pod=([a-z0-9.-]+)_[a-z0-9-]+\(`)

// restarted matches what checks say of an agent that does not stay up.
var restarted = regexp.MustCompile(`(?i)restart|exit code|crash|back for`)

// crashing tells whether a pod's status says that it does not stay up.
func crashing(p fact.Pod) bool {
	switch p.Status {
	case "CrashLoopBackOff", "Error", "Init:CrashLoopBackOff", "Init:Error", "RunContainerError", "OOMKilled", "StartError":
		return true
	}
	return false
}
