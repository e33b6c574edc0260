// SPDX-License-Identifier: Apache-2.0

// Package diagnosis names probable causes from evidence. Rules are pure
// functions over files, so they work on a saved bundle, on `kind export logs`
// output and on log text somebody pasted, offline and again after a fix. It
// asks no cluster.
package diagnosis

import "io/fs"

// Code is a cause's stable name, e.g. "CNI_CONFIG_MISSING"; codes.go lists all.
type Code string

// Source is evidence to diagnose: a tree of files. Paths are a bundle's where
// there is a manifest; for anything else rules look at what the lines say.
type Source struct {
	FS fs.FS
}

// Quote is one decisive line.
type Quote struct {
	File string `json:"file"`
	// Line counts from 1.
	Line int    `json:"line"`
	Text string `json:"text"`
}

// Finding is one probable cause.
type Finding struct {
	Code  Code   `json:"code"`
	Title string `json:"title"`
	// Confidence is between 0 and 1: above 0.8 the evidence says it in so many
	// words, below 0.5 it merely fits.
	Confidence float64 `json:"confidence"`
	// Nodes are where, empty when unknown or everywhere.
	Nodes    []string `json:"nodes,omitempty"`
	Evidence []Quote  `json:"evidence"`
	// Fix is commands, as a human would type them.
	Fix []string `json:"fix,omitempty"`
	// Refutes is what would show that this is not the cause.
	Refutes string `json:"refutes,omitempty"`
	// Step is the guide's evidence step it came from.
	Step string `json:"step,omitempty"`
}
