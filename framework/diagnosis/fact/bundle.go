// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"
)

// item is what this package needs of an item of a bundle's manifest
// (evidence.Item; a test keeps the two in step).
type item struct {
	Path, Collector, Node, Pod string
}

// manifest is what this package needs of manifest.json (evidence.Manifest).
type manifest struct {
	Version int
	Started time.Time
	Subject struct{ Since time.Time }
	Items   []item
}

// readManifest returns a manifest and its items by path relative to its folder,
// and nil for what is no manifest.
func readManifest(data []byte) (manifest, map[string]item) {
	var m manifest
	if json.Unmarshal(data, &m) != nil || m.Version == 0 {
		return m, nil
	}
	items := map[string]item{}
	for _, i := range m.Items {
		if i.Path != "" {
			items[path.Clean(i.Path)] = i
		}
	}
	return m, items
}

// readCheck reads check.json, a check.Result.
func readCheck(data []byte, file string) *Check {
	var c struct {
		ID, Title, Area, Outcome, Reason string
		Failures                         []CheckFailure
	}
	if json.Unmarshal(data, &c) != nil || c.ID == "" {
		return nil
	}
	return &Check{ID: c.ID, Title: c.Title, Area: c.Area, Reason: c.Reason, Failures: c.Failures, Quote: reasonLine(data, file)}
}

// reasonLine quotes the line that says why the check failed.
func reasonLine(data []byte, file string) Quote {
	q := Quote{File: file}
	for number, line := range strings.Split(string(data), "\n") {
		if q.Line == 0 {
			q.Line, q.Text = number+1, excerpt(line, 0)
		}
		if strings.HasPrefix(strings.TrimSpace(line), `"reason":`) {
			return Quote{File: file, Line: number + 1, Text: excerpt(line, 0)}
		}
	}
	return q
}

// notEvidence are files that tell conclusions, not observations: reading them
// would make a diagnosis confirm itself or copy somebody's answer. So would what
// is in a folder "differences" (evidence.Differences): lines of a healthy node.
var notEvidence = map[string]bool{
	"diagnosis.json": true, "verdict.json": true, "report.json": true, "report.html": true, "summary.md": true,
	"junit.xml": true, "cause.txt": true,
}

// Names tells whether the check's failures name a pod, namespace/name.
func (c *Check) Names(pod string) bool {
	for _, f := range c.Failures {
		if slices.Contains(f.Pods, pod) {
			return true
		}
	}
	return false
}

// HasPods tells whether the check's failures name pods at all.
func (c *Check) HasPods() bool {
	for _, f := range c.Failures {
		if len(f.Pods) > 0 {
			return true
		}
	}
	return false
}

// NamesNamespace tells whether the check's failures name a pod of a namespace.
func (c *Check) NamesNamespace(namespace string) bool {
	for _, f := range c.Failures {
		for _, p := range f.Pods {
			if strings.HasPrefix(p, namespace+"/") {
				return true
			}
		}
	}
	return false
}
