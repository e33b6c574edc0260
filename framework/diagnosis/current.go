// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"regexp"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// How long what a log says holds. The kubelet retries a sandbox every ten to
// fifteen seconds, a request of a CNI plugin takes half a minute to time out,
// and a crashing container is restarted after five minutes at most.
const (
	sandboxRetry = 150 * time.Second
	logMemory    = 12 * time.Minute
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

// anySandboxFailure is any failure of a pod sandbox's network.
var anySandboxFailure = fact.Say("a pod sandbox's network failed",
	`failed to (?:set ?up|destroy|create|tear ?down)(?: pod)? network for (?:pod )?sandbox`,
	`failed to (?:set ?up|clean ?up|teardown) sandbox container "[^"]*" network for pod`,
	`networkPlugin cni failed`,
	`failed to create pod network sandbox`,
)

// current keeps what still holds at the time the evidence was taken. What has
// no time is kept, and so is all of an excerpt: who pasted it means it.
func current(f *fact.Facts, sayings []fact.Saying) []fact.Saying {
	if !f.Whole || f.Now.IsZero() {
		return sayings
	}
	var kept []fact.Saying
	for _, s := range sayings {
		if !past(f, s) {
			kept = append(kept, s)
		}
	}
	return kept
}

func past(f *fact.Facts, s fact.Saying) bool {
	if s.Last.IsZero() {
		return false
	}
	age := f.Now.Sub(s.Last)
	if !sandboxFailure.MatchString(s.Latest().Text) {
		return age > logMemory
	}
	if age > sandboxRetry {
		return true
	}
	for _, started := range f.Said(sandboxStarted) {
		if started.Node != s.Node {
			continue
		}
		for _, sample := range started.Samples {
			pod, known := f.PodNamed(sample.Args["pod"])
			if known && !pod.HostNetwork && sample.Time.After(s.Last) {
				return true
			}
		}
	}
	for _, other := range f.Said(anySandboxFailure) {
		latest := other.Latest()
		if other.Node == s.Node && latest.Time.Sub(s.Last) > overtaken && !same(latest, s.Wording) {
			return true
		}
	}
	return false
}

// same tells whether a statement's text says the wording too.
func same(statement fact.Statement, w *fact.Wording) bool { return w.In(statement.Text) }
