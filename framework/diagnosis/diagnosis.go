// SPDX-License-Identifier: Apache-2.0

// Package diagnosis names probable causes from evidence. Rules are pure
// functions over facts read from files, so they work on a saved bundle, on
// `kind export logs` output and on log text somebody pasted, offline and again
// after a fix. It asks no cluster.
package diagnosis

import (
	"io/fs"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// Code is a cause's stable name, e.g. "CNI_CONFIG_MISSING"; codes.go lists all.
type Code string

// Source is evidence to diagnose. Paths are a bundle's where there is a
// manifest; for anything else rules look at what the lines say.
type Source struct {
	// FS is a tree of files; nil when there is none.
	FS fs.FS
	// Files are read besides it, once, e.g. standard input.
	Files []fact.File
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
	// Hint teaches how the cause comes about.
	Hint string `json:"hint,omitempty"`
	// Confidence is between 0 and 1: above 0.8 the evidence says it in so many
	// words, below 0.5 it merely fits.
	Confidence float64 `json:"confidence"`
	// Nodes are where, empty when unknown or everywhere.
	Nodes    []string `json:"nodes,omitempty"`
	Evidence []Quote  `json:"evidence"`
	// Fix is commands, as a human would type them.
	Fix []string `json:"fix,omitempty"`
	// Refutes is what would show that this is not the cause, and whether that
	// was looked for.
	Refutes string `json:"refutes,omitempty"`
	// Step is the guide's evidence step it came from.
	Step string `json:"step,omitempty"`
	// Explains are causes the evidence also fits, as consequences of this one.
	Explains []Code `json:"explains,omitempty"`

	// direct tells that the state itself was seen, so that no other cause can
	// explain it away.
	direct bool
	// peers are nodes whose fault it may be though it was seen on others.
	peers []string
	// last is when it was last seen, zero when unknown.
	last time.Time
}

// Report is what a diagnosis yields. No finding and no Unknown means that
// nothing wrong was found.
type Report struct {
	// Findings are probable causes, best first; never nil.
	Findings []Finding `json:"findings"`
	// Unknown is set when something is wrong and the evidence does not decide
	// what.
	Unknown *Unknown `json:"unknown"`
	// Skipped are files that could not be read, with the reason.
	Skipped []string `json:"skipped,omitempty"`
}

// Top is the best finding's code; UnknownCause when there is none but something
// is wrong, and empty when nothing is.
func (r Report) Top() Code {
	switch {
	case len(r.Findings) > 0:
		return r.Findings[0].Code
	case r.Unknown != nil:
		return UnknownCause
	}
	return ""
}

// Diagnose reads the evidence and names what it shows. It reads each file once
// and its memory does not grow with their size. Evidence that cannot be read is
// in Report.Skipped.
func Diagnose(src Source) Report {
	files := src.Files
	if src.FS != nil {
		files = append(fact.Tree(src.FS), files...)
	}
	return diagnose(fact.Gather(files))
}

// history weighs what a long log says of a time long before its end, where
// nothing is wrong at its end.
const history = 0.6

func diagnose(f *fact.Facts) Report {
	report := Report{Findings: rank(f, apply(f))}
	if len(report.Findings) == 0 && f.Long && !f.Whole {
		f.Long = false
		report.Findings = rank(f, apply(f))
		for i := range report.Findings {
			report.Findings[i].Confidence *= history
		}
	}
	for _, s := range f.Skipped {
		report.Skipped = append(report.Skipped, s.File+": "+s.Err.Error())
	}
	if len(report.Findings) == 0 {
		report.Unknown = unknown(f)
	}
	return report
}
