// SPDX-License-Identifier: Apache-2.0

// Package check is what a check is, how checks register, and how they run:
// prerequisites first, convergence, outcomes per node. It knows nothing of
// Ginkgo, of reports or of evidence.
package check

import (
	"context"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/probe"
)

// Level tells whether a check counts in the verdict.
type Level string

// Levels.
const (
	Required Level = "required"
	Advisory Level = "advisory"
)

// Areas in the order they are reported.
var Areas = []string{"node", "cni", "sandbox", "pod", "dns", "service", "mtu", "egress", "policy", "audit"}

// Check is one claim about the cluster that is true or false. A check is one
// value in one file, registered with Register from that file.
type Check struct {
	// ID is area.claim, e.g. "dns.service-name"; the part before the dot is
	// the area.
	ID string
	// Title is the claim, e.g. "a pod resolves a Service by its short name".
	Title string
	Level Level
	// Requires are the IDs of checks without which this one cannot tell
	// anything. Nodes that failed a prerequisite are not in Env.Nodes.
	Requires []string
	// Collects names collectors a failure of this check needs beyond those
	// that every failure gets.
	Collects []string
	// Attempt bounds one Run and Converge all of them; zero means the defaults
	// of config.Timeouts, and a second attempt however long the first took. An Attempt of its own is not cut by Converge, so that
	// with a Converge of next to nothing there is one attempt and no other.
	Attempt, Converge time.Duration
	// Successes is how many attempts in a row must succeed; 0 is 1.
	Successes int
	// NoProbes tells that Run asks no probe pods of Env: it may run while they
	// still start.
	NoProbes bool
	// Waits tells that Run spends its time waiting for others to follow, kubelets
	// that start pods or whoever programs Services. It has a place beside those of
	// checks that keep the cluster busy.
	Waits bool
	// Run makes one attempt. It returns nil when the claim holds on every node
	// of env.Nodes, else an error tree of *Failure, *Inconclusive and
	// *NotApplicable (see errors.Join); any other error counts as a failure
	// without a place. No sleeps, retries or assertions; it deletes nothing
	// that evidence would need.
	Run func(ctx context.Context, env *Env) error
}

// NeedsFixtures tells whether the check asks probes or makes pods beside them.
func (c Check) NeedsFixtures() bool { return !c.NoProbes || c.Waits }

// Env is what a check gets. It is made anew for each attempt.
type Env struct {
	Cluster *cluster.Cluster
	// Nodes are the nodes to judge: in scope and not blocked by a failed
	// prerequisite.
	Nodes []cluster.Node
	// Namespace is the run's own, under PodSecurity restricted; HostNamespace
	// the one for host-network pods, empty where admission refused it.
	Namespace, HostNamespace string
	// RunID labels all that the check creates (workloads.RunLabel).
	RunID string
	// ProbeImage is the probe's image on the nodes.
	ProbeImage string
	// Probe runs jobs in probe pods.
	Probe probe.Runner
	// Here runs jobs on the machine the harness runs on, which is outside the
	// cluster more often than not; nil where it cannot.
	Here probe.Runner
	// Pods are the ready probe pods on the pod network, by node; HostPods
	// those on the host network.
	Pods, HostPods map[string]probe.Pod
	// EgressTargets are places outside the cluster, as framework/target reads
	// them; empty where none is known.
	EgressTargets []string
	// EgressProxy is the forward proxy of programs in pods and EgressNoProxy what
	// they reach without it, as in HTTP_PROXY and NO_PROXY; empty where the user
	// named none.
	EgressProxy, EgressNoProxy string
	// LoadBalancer allows a check to create a Service of type LoadBalancer, for
	// which a cloud may charge.
	LoadBalancer bool
	// Timeouts bound this run's waits, longer where the cluster is slow.
	Timeouts config.Timeouts
	// Figures are those that a check of Requires recorded in its last attempt.
	Figures func(id string) []Measurement
	// Record takes a figure for the report.
	Record func(Measurement)
	// Cleanup registers the removal of something Run created. It runs after the
	// attempt, and after evidence was taken where the attempt was the last and
	// failed; last registered, first run, each with its own bounded context.
	Cleanup func(what string, remove func(ctx context.Context) error)
}

// Measurement is a figure a check reports beside its outcome.
type Measurement struct {
	Name string `json:"name"`
	// Node is where it was taken; empty means cluster-wide. Peer is the other
	// end where there is one.
	Node  string  `json:"node,omitempty"`
	Peer  string  `json:"peer,omitempty"`
	Value float64 `json:"value"`
	// Unit is ms, bytes, count, percent.
	Unit string `json:"unit"`
}
