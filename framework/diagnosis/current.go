// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"regexp"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// How long what a log says holds. The kubelet retries a sandbox every ten to
// fifteen seconds, a request of a CNI plugin takes half a minute to time out,
// and a crashing container is restarted after five minutes at most.
const (
	sandboxRetry = 150 * time.Second
	logMemory    = 12 * time.Minute
	// beforeRun is how long before the run's start something may have been said
	// and still explain what failed in it.
	beforeRun = 2 * time.Minute
	// overtaken is how much later another cause of sandbox failures must have
	// been seen on the node, and this one not any more.
	overtaken = 45 * time.Second
)

// sandboxFailure matches what runtimes and the kubelet say when a sandbox's
// network cannot be set up or torn down.
var sandboxFailure = regexp.MustCompile(`(?i)network\s+for\s+sandbox|FailedCreatePodSandBox|create\s+pod\s+sandbox|networkPlugin\s+cni\s+failed|KillPodSandbox|CreatePodSandbox|plugin\s+type=`)

// sandboxStarted is a pod sandbox that was set up.
var sandboxStarted = fact.Say("the runtime set up a pod sandbox",
	`RunPodSandbox for (?:&PodSandboxMetadata\{Name:|name:")(?P<pod>[^",]+).*returns sandbox id`,
	`Ran pod sandbox \S+ with infra container: \S+?/(?P<pod>[a-z0-9.-]+)/POD`,
)

// sandboxStopped is a pod sandbox whose network was torn down at last.
var sandboxStopped = fact.Say("the runtime tore down a pod sandbox's network",
	`TearDown network for sandbox \W*(?P<sandbox>[0-9a-f]{64})\W* successfully`,
	`Stopped pod sandbox(?: \(already stopped\))?: (?P<sandbox>[0-9a-f]{64})`,
)

// anySandboxFailure is any failure of a pod sandbox's network.
var anySandboxFailure = fact.Say("a pod sandbox's network failed",
	`failed to (?:set ?up|destroy|create|tear ?down)(?: pod)? network for (?:pod )?sandbox`,
	`failed to (?:set ?up|clean ?up|teardown) sandbox container "[^"]*" network for pod`,
	`networkPlugin cni failed`,
	`failed to create pod network sandbox`,
)

// current keeps what still holds at the time the evidence was taken. What has
// no time is kept, and so is all of a short excerpt: who pasted it means it.
func current(f *fact.Facts, sayings []fact.Saying) []fact.Saying {
	return lately(f, logMemory, sayings)
}

// lately is current for what logs repeat within a known time.
func lately(f *fact.Facts, memory time.Duration, sayings []fact.Saying) []fact.Saying {
	if !f.Whole && !f.Long || f.Now.IsZero() {
		return sayings
	}
	return where(sayings, func(s fact.Statement) bool { return !past(f, s, memory) })
}

func past(f *fact.Facts, s fact.Statement, memory time.Duration) bool {
	// What a container said at its end is over once its pod is up again. A list of pods
	// has it too, of nobody in particular; their descriptions say the same.
	if strings.HasSuffix(s.Quote.File, "/pods.yaml") && s.Pod == "" {
		return true
	}
	if (s.Sort == fact.PodStatus || strings.HasSuffix(s.Quote.File, ".previous.log")) && s.Pod != "" && len(f.Pods) > 0 {
		pod, exists := f.PodNamed(s.Pod)
		if !exists || pod.Up() {
			return true
		}
	}
	if s.Time.IsZero() {
		return false
	}
	if !f.Since.IsZero() && s.Time.Before(f.Since.Add(-beforeRun)) {
		return true
	}
	age := f.Now.Sub(s.Time)
	if !sandboxFailure.MatchString(s.Text) {
		return age > memory
	}
	return age > sandboxRetry || startedSince(f, s) || stoppedSince(f, s) || overtakenBy(f, s)
}

// startedSince tells whether the node set up the network of a pod after the
// statement. Pods of the host network need none.
func startedSince(f *fact.Facts, s fact.Statement) bool {
	for _, started := range f.Said(sandboxStarted) {
		if started.Node != s.Node {
			continue
		}
		for _, sample := range started.Samples {
			pod, known := f.PodNamed(sample.Args["pod"])
			if known && !pod.HostNetwork && sample.Time.After(s.Time) {
				return true
			}
		}
	}
	return false
}

// stoppedSince tells whether the sandbox of the statement is gone by now, as far as the
// statements that are kept of a log say (fact.Saying).
func stoppedSince(f *fact.Facts, s fact.Statement) bool {
	for _, stopped := range f.Said(sandboxStopped) {
		for _, sample := range stopped.Samples {
			if id := sample.Args["sandbox"]; stopped.Node == s.Node && sample.Time.After(s.Time) && strings.Contains(s.Text, id) {
				return true
			}
		}
	}
	return false
}

// overtakenBy tells whether sandboxes on the node fail for another reason now.
func overtakenBy(f *fact.Facts, s fact.Statement) bool {
	for _, other := range f.Said(anySandboxFailure) {
		latest := other.Latest()
		if other.Node == s.Node && latest.Time.Sub(s.Time) > overtaken && !s.Wording.In(latest.Text) {
			return true
		}
	}
	return false
}
