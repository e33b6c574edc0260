// SPDX-License-Identifier: Apache-2.0

package config

import "time"

// Timeouts bounds every wait of a run, each named for what it bounds. No other
// place holds a number of seconds.
type Timeouts struct {
	APIRequest     time.Duration // one request to the API server
	Connect        time.Duration // from flags to a usable cluster, or a clear sentence
	FixturesReady  time.Duration // probe pods ready on every node that can start one
	Attempt        time.Duration // one attempt of a check, unless the check says otherwise
	Converge       time.Duration // all attempts of a check together, unless the check says otherwise
	QuickConverge  time.Duration // the same in a scenario that is run quickly: what is red against expectation is looked at again
	Exec           time.Duration // one exec into a probe pod beyond what its jobs may take
	ProbeJob       time.Duration // one probe job when the job names no timeout of its own
	NodeCommand    time.Duration // one read-only command on a node
	SandboxSettle  time.Duration // a node that fails to make sandboxes becoming able to, e.g. while its agent restarts
	Programmed     time.Duration // every node following a change of an endpoint or of a policy
	LoadBalancer   time.Duration // a controller providing a load balancer
	PodChurn       time.Duration // starting and deleting some pods
	Outlier        time.Duration // by how much a node must be slower than the others to stand out
	Stuck          time.Duration // how long a pod may lack its sandbox, or outlive its deletion, before it counts as stuck
	Audit          time.Duration // an object that looks wrong being looked at again, since it may just be changing
	Complaint      time.Duration // how long ago a kernel's complaint may be to count as going on; it repeats them at least every ten seconds
	AgentSettled   time.Duration // how long the CNI's agent must run without a restart to count as stable
	Collector      time.Duration // one collector of evidence on one node
	Evidence       time.Duration // all collectors of one failure
	Cleanup        time.Duration // removal of what the run made; has its own context
	ClusterUp      time.Duration // creating a kind cluster until its nodes are Ready
	ClusterDown    time.Duration // deleting a kind cluster
	EngineUp       time.Duration // starting a Docker engine until it answers
	RegistryAnswer time.Duration // a registry answering whether it is there
	Inject         time.Duration // one scenario's Inject
	Heal           time.Duration // one scenario's Heal
	Break          time.Duration // from Inject until every check of Breaks is red, and again for the look at all others
	Recover        time.Duration // from Heal until the last look at whether all checks pass again, and that look
	Upgrade        time.Duration // the command that is gated
	Settle         time.Duration // from its end until the cluster has settled
	Settled        time.Duration // nothing changing, to count as settled
	Monitors       time.Duration // monitors left alone ending by themselves, beyond Upgrade
}

// Stretched are the timeouts for a cluster that is slower by factor than one
// they are meant for: what a healthy one does late gets longer, what is lost for
// good (a packet) does not.
func (t Timeouts) Stretched(factor float64) Timeouts {
	for _, d := range []*time.Duration{&t.Attempt, &t.Converge, &t.Programmed, &t.PodChurn, &t.SandboxSettle, &t.LoadBalancer} {
		*d = time.Duration(float64(*d) * factor)
	}
	return t
}

// DefaultTimeouts are generous for a two-core machine and a three-node
// cluster; waits end early when the answer is known.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		APIRequest:     10 * time.Second,
		Connect:        20 * time.Second,
		FixturesReady:  45 * time.Second,
		Attempt:        20 * time.Second,
		Converge:       15 * time.Second,
		QuickConverge:  4 * time.Second,
		Exec:           10 * time.Second,
		ProbeJob:       4 * time.Second,
		NodeCommand:    8 * time.Second,
		SandboxSettle:  10 * time.Second,
		Programmed:     8 * time.Second,
		LoadBalancer:   3 * time.Minute,
		PodChurn:       60 * time.Second,
		Outlier:        3 * time.Second,
		Stuck:          60 * time.Second,
		Audit:          2 * time.Second,
		Complaint:      30 * time.Second,
		AgentSettled:   10 * time.Minute,
		Collector:      20 * time.Second,
		Evidence:       30 * time.Second,
		Cleanup:        60 * time.Second,
		ClusterUp:      6 * time.Minute,
		ClusterDown:    2 * time.Minute,
		EngineUp:       60 * time.Second,
		RegistryAnswer: 3 * time.Second,
		Inject:         120 * time.Second,
		Heal:           2 * time.Minute,
		Break:          2 * time.Minute,
		Recover:        3 * time.Minute,
		Upgrade:        time.Hour,
		Settle:         90 * time.Second,
		Settled:        10 * time.Second,
		Monitors:       time.Hour,
	}
}
