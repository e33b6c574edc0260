// SPDX-License-Identifier: Apache-2.0

// Package evidence gathers what a troubleshooting guide says to gather, into a
// bundle: a directory of files and a manifest that says of each what it is, how
// it was had, or why it could not be had. It draws no conclusions and changes
// nothing on the cluster.
//
// A bundle holds
//
//	manifest.json                       what is here and what is not, and why
//	cluster/<file>                      of the cluster as a whole
//	cluster/<namespace>/<file>          events and objects of a namespace
//	nodes/<node>/<file>                 logs and state of a node
//	nodes/<node>/files/<path>           files of the node below their own path
//	nodes/<node>/listing/<path>.txt     directories of the node, also missing ones
//	nodes/<node>/pod-logs/<pod>.log     pod logs read on the node, where the API gave none
//	pods/<namespace>/<pod>/<file>       describe.txt, <container>.log, <container>.previous.log
//
// Steps lists every file with the command that yields it.
package evidence

import (
	"context"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
)

// Status says what became of an item.
type Status string

// Statuses. An item may be both truncated and redacted: Truncated and Redacted
// of Item tell, and Status is then Collected.
const (
	Collected   Status = "collected"
	Unavailable Status = "unavailable"
	TimedOut    Status = "timed-out"
)

// Step is one documented command of the guide, as a human would type it. The
// README's table is generated from the collectors' steps.
type Step struct {
	// Command as typed, with <node>, <pod> and <namespace> as placeholders.
	Command string
	// Yields is the file in the bundle, with the same placeholders.
	Yields string
}

// Subject is what a failure is about and so where to look.
type Subject struct {
	// Nodes are those involved, Healthy one that is not, for comparison; empty
	// when there is none. Without any node Collect looks at a few, those that
	// are not Ready first.
	Nodes   []string
	Healthy string
	// Pods are namespace/name of the pods involved.
	Pods []string
	// Namespaces are the run's own.
	Namespaces []string
	// Since is where the time window that matters begins.
	Since time.Time
}

// Collector gathers one documented kind of evidence. Collectors are values,
// each in its own file, registered with Register. Its functions are called at
// most once per node and bundle, concurrently with other collectors'; ctx ends
// at the collector's own deadline (config.Timeouts.Collector). They record in
// the manifest what could not be had; an error is for what has no item.
type Collector struct {
	// Name is the collector's and its folder's, e.g. "kubelet-log".
	Name string
	// Title says what it is, e.g. "kubelet log".
	Title string
	// Always tells that every failure wants it; others are asked for by
	// check.Check.Collects.
	Always bool
	// CNI is the kind of cluster.CNI it is about; where another kind was
	// detected it is not run and the manifest says so. Empty is any.
	CNI string
	// Steps are the commands it runs, or their equivalents where the API
	// server is asked.
	Steps []Step
	// PerNode gathers from one node through node access; called for each node
	// of the subject that answers, in parallel. Nil for a collector that asks
	// the API server only.
	PerNode func(ctx context.Context, c *cluster.Cluster, node string, w *Writer) error
	// Once gathers what needs no node to be alive, once per bundle. May be nil.
	// The subject's Nodes are never empty unless the cluster has none.
	Once func(ctx context.Context, c *cluster.Cluster, s Subject, w *Writer) error
}

// Item is one piece of evidence in the manifest.
type Item struct {
	// Path is relative to the bundle, slash-separated, e.g.
	// "nodes/worker2/kubelet.log". Empty when nothing was had.
	Path      string `json:"path,omitempty"`
	Collector string `json:"collector"`
	Node      string `json:"node,omitempty"`
	Pod       string `json:"pod,omitempty"`
	// Command is how a human would have had it.
	Command string `json:"command"`
	Status  Status `json:"status"`
	// Reason says why it is unavailable, timed out or truncated.
	Reason string `json:"reason,omitempty"`
	// Note is what a reader of the file must know.
	Note      string        `json:"note,omitempty"`
	Truncated bool          `json:"truncated,omitempty"`
	Redacted  int           `json:"redacted,omitempty"` // secrets replaced
	Started   time.Time     `json:"started"`
	Duration  time.Duration `json:"durationNanoseconds"`
	Size      int64         `json:"sizeBytes"`
	// Shared names the bundle of the same run that it was collected for, when
	// that is another one; the file is the same.
	Shared string `json:"shared,omitempty"`
}

// Manifest is manifest.json.
type Manifest struct {
	// Version of this schema: 1.
	Version int       `json:"version"`
	RunID   string    `json:"runID"`
	Check   string    `json:"check,omitempty"`
	Subject Subject   `json:"subject"`
	Started time.Time `json:"started"`
	Items   []Item    `json:"items"`
}
