// SPDX-License-Identifier: Apache-2.0

package report

import (
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/evidence"
	"github.com/cniproof/cniproof/framework/gate"
)

// Run is all that is known of a run, at any moment of it: plain data, and as
// JSON the file report.json. Every other file is written from it alone.
type Run struct {
	// SchemaVersion is set by Write.
	SchemaVersion int    `json:"schemaVersion"`
	ID            string `json:"id"`
	// Tool is the version of the harness.
	Tool     string        `json:"tool,omitempty"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"durationNanoseconds"`
	// Complete is true once the last check has ended.
	Complete bool `json:"complete"`
	// Problem is the sentence of a run that could not start, or not go on.
	Problem string `json:"problem,omitempty"`
	// Strict makes advisory checks count.
	Strict bool `json:"strict,omitempty"`
	// Selection is what the run was limited to, e.g. "areas dns, service".
	Selection string `json:"selection,omitempty"`
	// Rerun is the command that repeats the run, as typed.
	Rerun   string  `json:"rerun,omitempty"`
	Cluster Cluster `json:"cluster"`
	// Checks are those selected, in order. One without a result in Results
	// was skipped.
	Checks  []Check        `json:"checks"`
	Results []check.Result `json:"results"`
	// Gate is what was done to the cluster before Results were taken; nil where the
	// run is no gate.
	Gate *gate.Result `json:"gate,omitempty"`
	// Bundles are the evidence, at most one for each failed check.
	Bundles []Bundle `json:"bundles,omitempty"`
}

// Check is what reports say of a check that has not run.
type Check struct {
	ID    string      `json:"id"`
	Title string      `json:"title"`
	Area  string      `json:"area"`
	Level check.Level `json:"level"`
}

// Checks are the checks as a Run lists them.
func Checks(selected []check.Check) []Check {
	list := make([]Check, 0, len(selected))
	for _, c := range selected {
		list = append(list, Check{ID: c.ID, Title: c.Title, Area: c.Area(), Level: c.Level})
	}
	return list
}

// Bundle is the evidence of one failed check and what was made of it.
type Bundle struct {
	Check string `json:"check"`
	// Dir is the bundle's directory relative to the reports', slash-separated.
	Dir      string            `json:"dir"`
	Manifest evidence.Manifest `json:"manifest"`
	// Findings are best first. Without any, RuledOut are the causes that the
	// evidence excludes and CollectNext what would help.
	Findings []diagnosis.Finding `json:"findings,omitempty"`
	// Differences are what sets each node of the failure apart from
	// Manifest.Subject.Healthy, as evidence.Differences has it.
	Differences []Differences `json:"differences,omitempty"`
	RuledOut    []string      `json:"ruledOut,omitempty"`
	CollectNext []string      `json:"collectNext,omitempty"`
}

// Differences are those of one node.
type Differences struct {
	Node string `json:"node"`
	Text string `json:"text"`
}

// Cluster is the facts of a cluster that reports show.
type Cluster struct {
	Name string `json:"name,omitempty"`
	// Server is the API server's version.
	Server string `json:"server,omitempty"`
	// CNI in words, e.g. "flannel v0.28.4 (vxlan)".
	CNI          string   `json:"cni,omitempty"`
	ProxyMode    string   `json:"proxyMode,omitempty"`
	Families     []string `json:"families,omitempty"`
	PodCIDRs     []string `json:"podCIDRs,omitempty"`
	ServiceCIDRs []string `json:"serviceCIDRs,omitempty"`
	Nodes        []Node   `json:"nodes,omitempty"`
}

// Node is the facts of a node that reports show.
type Node struct {
	Name string `json:"name"`
	// Role is control-plane or worker.
	Role string `json:"role"`
	// NotReady is why the node is not Ready; empty when it is.
	NotReady string   `json:"notReady,omitempty"`
	IPs      []string `json:"ips,omitempty"`
	PodCIDRs []string `json:"podCIDRs,omitempty"`
	Kubelet  string   `json:"kubelet,omitempty"`
	Runtime  string   `json:"runtime,omitempty"`
	Kernel   string   `json:"kernel,omitempty"`
}
