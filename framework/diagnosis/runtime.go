// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"regexp"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What the kubelet, crictl and kubeadm say when the runtime does not answer.
var (
	runtimeSilent = fact.Say("the container runtime does not answer",
		`(?:/run|/var/run)/(?:containerd/containerd|dockershim|docker|crio/crio|cri-dockerd|k3s/containerd/containerd|k0s/containerd)\.sock"?:? .{0,60}(?:connection refused|no such file|i/o timeout|deadline exceeded|EOF|connection reset)`,
		`(?:containerd|dockershim|docker|crio|cri-dockerd)\.sock.{0,160}(?:connect: connection refused|no such file or directory|timeout)`,
		`Cannot connect to the Docker daemon`, `Is the docker daemon running`, `container runtime is down`, `container runtime is not running`,
		`CRI v1 runtime API is not implemented`, `unknown service runtime\.v1(?:alpha2)?\.(?:Runtime|Image)Service`,
		`failed to (?:get|connect to) (?:docker|container runtime|containerd|crio)(?: version)?.{0,120}(?:refused|no such|running|unavailable)`,
		`validate (?:service connection|CRI v1)`, `operation timeout: context deadline exceeded`,
		`"?(?:Status|Version|List\w+|ImageFsInfo)\b.{0,60}from (?:runtime|image) service failed.{0,80}(?:Unavailable|DeadlineExceeded)`,
		`(?:get|container) runtime (?:status|version).{0,80}(?:failed|error|unavailable)`, `failed to run Kubelet: .{0,80}runtime service`,
	)
	runtimeStopped = fact.Say("the container runtime's service stopped",
		`(?:containerd|docker|crio|cri-docker)\.service: (?:Main process exited|Failed|Unit entered failed|Start request repeated|Consumed .{0,40})`,
		`(?:Stopped|Stopping) (?:containerd|Docker Application Container Engine|Container Runtime Interface for OCI|CRI-O)`,
		`Failed to start (?:containerd|Docker|CRI-O|Container Runtime)`, `Active: (?:inactive|failed).{0,200}(?:containerd|docker|crio)`,
		`(?:containerd|docker|crio)(?:\.service)?.{0,200}Active: (?:inactive \(dead\)|failed)`,
	)
	pleg = fact.Say("the kubelet's pod lifecycle events stand still",
		`PLEG is not healthy`, `pleg was last seen active`, `container runtime status check may not have completed yet`,
	)
	runtimeBack = fact.Say("the runtime serves again",
		`containerd successfully booted in`, `Started (?:containerd|Docker Application Container Engine|Container Runtime Interface for OCI)`,
	)
)

// runtimeUnit matches the runtimes' services.
var runtimeUnit = regexp.MustCompile(`^(?:containerd|docker|crio|cri-docker)\.service$`)

// pullOrPod matches texts that are about something else than the runtime's own
// absence.
var pullOrPod = regexp.MustCompile(`(?i)back-off pulling|ErrImagePull|sandbox image`)

// starting matches what every kubelet says for a moment after its own start.
var starting = regexp.MustCompile(`(?i)pleg has yet to be successful|"container runtime status check may not have completed yet"`)

// otherRuntimes matches what every kubelet says at its start of the runtimes that
// it looks for and the node does not have (cadvisor's container factories).
var otherRuntimes = regexp.MustCompile(`(?i)registration of the \S+ container factory failed`)

var _ = Register(Rule{
	Code:  RuntimeDown,
	Title: "the container runtime is down or does not answer",
	Hint:  "Without the runtime the kubelet can neither start nor stop nor inspect a pod; the node goes NotReady.",
	Suppresses: []Code{CNIConfigMissing, CNIDaemonUnreachable, CNIDaemonCrashLoop, SandboxStale, CoreDNSDown, KubeProxyDown, NotNetworkApplication, NotNetworkRuntime, ServiceSelectorMismatch,
		NodeRouteMissing},
	Fix: []string{
		"systemctl status containerd docker crio; journalctl -u containerd -n 50   # on <node>",
		"systemctl restart containerd && systemctl restart kubelet   # on <node>",
		"crictl info   # on <node>: answers when the runtime is well and its CRI plugin enabled (disabled_plugins in /etc/containerd/config.toml)",
	},
	Refutes: "crictl info answering on the node",
	Looks:   []fact.Sort{fact.KubeletLog, fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		said := without(current(f, f.Said(runtimeSilent, runtimeStopped)), pullOrPod)
		said = without(said, otherRuntimes)
		said = unserved(f, said)
		found := cite(0.92, said)
		for _, u := range f.Units {
			if !runtimeUnit.MatchString(u.Name) || u.Active == "active" || u.Active == "activating" {
				continue
			}
			found.quote(u.Quote)
			found.on(u.Node)
			found.Confidence, found.direct, found.Step = 0.96, true, either(found.Step, string(fact.RuntimeLog))
			found.Title = "the container runtime on " + u.Node + " is stopped: " + u.Name + " is " + u.Active
		}
		if len(found.Evidence) == 0 {
			return some(cite(0.6, without(unserved(f, f.Said(pleg)), starting)))
		}
		return []Finding{found}
	},
})

// unserved keeps what the node's runtime has not belied since by serving.
func unserved(f *fact.Facts, sayings []fact.Saying) []fact.Saying {
	return where(current(f, sayings), func(s fact.Statement) bool { return !servedSince(f, s) })
}

// reconnect is how long after the runtime is back the kubelet may still complain
// of a broken connection.
const reconnect = 5 * time.Second

// servedSince tells whether the node's runtime came back after a statement, by
// its own word or by a sandbox it set up.
func servedSince(f *fact.Facts, s fact.Statement) bool {
	return since(f, s, runtimeBack, sandboxStarted)
}

// since tells whether one of these was said on the node after a statement.
func since(f *fact.Facts, s fact.Statement, better ...*fact.Wording) bool {
	if s.Time.IsZero() {
		return false
	}
	for _, back := range f.Said(better...) {
		if back.Node == s.Node && back.Last.Add(reconnect).After(s.Time) {
			return true
		}
	}
	return false
}
