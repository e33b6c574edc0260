// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"slices"
	"time"
)

// Facts are all that was read from some evidence.
type Facts struct {
	// Now is when the evidence was taken: the latest time it carries. Zero when
	// it carries none.
	Now time.Time
	// Since is where the time that matters begins, as the bundle's manifest
	// says: the start of the run. Zero when unknown.
	Since time.Time
	// Whole tells that the evidence describes a cluster or a node (a bundle, an
	// export, a folder of captures) rather than an excerpt somebody chose: only
	// then does the absence of something mean anything.
	Whole bool
	// Long tells that a file is longer than what a person pastes: a log, which
	// has a past.
	Long bool
	// Sayings are what components said, per wording, file and node.
	Sayings []Saying
	// Files are what was read, by sort.
	Files map[Sort][]string
	// Skipped are files that were not read, and why.
	Skipped []Skipped

	State
	Cluster
	// Check is the failed check the evidence was taken for, nil when none.
	Check *Check
}

// Skipped is a file that could not be used.
type Skipped struct {
	File string
	Err  error
}

// State is what the nodes' kernels and disks have.
type State struct {
	Links   []Link
	Addrs   []Addr
	Routes  []Route
	Sysctls []Sysctl
	Filters []*Filter
	Configs []NetworkConfig
	Dirs    []Dir
	// Plugins are the CNI versions that plugins answered they support.
	Plugins  []PluginVersions
	Units    []Unit
	Counters []Counter
}

// Cluster is what the API server knows.
type Cluster struct {
	Nodes     []Node
	Pods      []Pod
	Workloads []Workload
	Services  []Service
	Endpoints []Endpoints
	Policies  []Policy
	Pools     []Pool
	Maps      []ConfigMap
}

// NodeNames returns the names of all nodes the evidence mentions.
func (f *Facts) NodeNames() []string {
	seen := map[string]bool{}
	var names []string
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, n := range f.Nodes {
		add(n.Name)
	}
	for _, l := range f.Links {
		add(l.Node)
	}
	return names
}

// SortOf tells what sort of evidence a file is, Pasted when it was not read.
func (f *Facts) SortOf(file string) Sort {
	for sort, files := range f.Files {
		if slices.Contains(files, file) {
			return sort
		}
	}
	return Pasted
}

// NodeByName returns what the API server knows of a node.
func (f *Facts) NodeByName(name string) (Node, bool) {
	for _, n := range f.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}

// PodNamed finds a pod by namespace/name, or by name alone.
func (f *Facts) PodNamed(name string) (Pod, bool) {
	for _, p := range f.Pods {
		if p.Namespace+"/"+p.Name == name || p.Name == name {
			return p, true
		}
	}
	return Pod{}, false
}

// Sysctl returns a setting of a node.
func (f *Facts) Sysctl(node, key string) (Sysctl, bool) {
	for _, s := range f.Sysctls {
		if s.Node == node && s.Key == key {
			return s, true
		}
	}
	return Sysctl{}, false
}
