// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"path"
	"regexp"
	"strings"
)

// Sort is a kind of evidence, named as the guide names its steps.
type Sort string

// Sorts of evidence.
const (
	KubeletLog   Sort = "kubelet log"
	RuntimeLog   Sort = "container runtime log"
	CNIPodLog    Sort = "CNI pod logs"
	CNIFile      Sort = "files a CNI plugin writes under /var/log"
	DNSLog       Sort = "CoreDNS logs"
	ProxyLog     Sort = "kube-proxy logs"
	KernelLog    Sort = "kernel log"
	PodStatus    Sort = "pod status and events"
	Objects      Sort = "Kubernetes objects"
	CNIConfig    Sort = "CNI configuration and binaries"
	NetworkState Sort = "Linux network state of the node"
	ProbeResult  Sort = "probe results"
	Pasted       Sort = "pasted text"
)

// sorts tell a file's sort by its path or its collector's name; the first that
// matches wins.
var sorts = []struct {
	match *regexp.Regexp
	sort  Sort
}{
	{regexp.MustCompile(`(?i)(^|/)check\.json$|probe\.txt|probe-result|connectivity`), ProbeResult},
	{regexp.MustCompile(`(?i)coredns|kube-dns`), DNSLog},
	{regexp.MustCompile(`(?i)kube-proxy`), ProxyLog},
	{regexp.MustCompile(`(?i)/cni\.log|var[-_/]?log.*(calico|cilium|cni|flannel|weave|multus|aws-routed)`), CNIFile},
	{regexp.MustCompile(`(?i)cni[-_](config|dirs?)|cni\.txt|net\.d|cni/bin|cni-binar`), CNIConfig},
	{regexp.MustCompile(`(?i)daemonset|deployment|configmap|networkpolic|services?[-_]|endpoint|get-nodes|workloads|objects|nodes\.(txt|json|yaml)|crs\.txt`), Objects},
	{regexp.MustCompile(`(?i)describe|events|get-pods|pod-?status|pods\.(txt|json|yaml)`), PodStatus},
	{regexp.MustCompile(`(?i)calico|flannel|canal|cilium|weave.*log|logs?-.*weave|kindnet|cni[-_]pod`), CNIPodLog},
	{regexp.MustCompile(`(?i)kubelet`), KubeletLog},
	{regexp.MustCompile(`(?i)containerd|docker|crio|cri-o|runtime`), RuntimeLog},
	{regexp.MustCompile(`(?i)dmesg|kern(el)?[-_.]?log|kernel`), KernelLog},
	{regexp.MustCompile(`(?i)iptables|nft|ipset|sysctl|route|/ip\.txt|addr|link|neigh|conntrack|socket|/ss\.txt|network-state`), NetworkState},
}

// collected are the sorts of what a bundle's collectors gather, by their names.
var collected = map[string]Sort{
	"kubelet-log": KubeletLog, "runtime-log": RuntimeLog, "runtime-state": RuntimeLog, "kernel-log": KernelLog,
	"coredns-logs": DNSLog, "kube-proxy-logs": ProxyLog, "var-log": CNIFile, "cni-config": CNIConfig, "network-state": NetworkState,
	"pod-status": PodStatus, "events": PodStatus, "objects": Objects, "node-status": Objects, "tables": Objects,
}

// sortOf tells what sort of evidence a file is.
func sortOf(file, collector string) Sort {
	if s, known := collected[collector]; known {
		return s
	}
	if strings.HasSuffix(collector, "-state") { // a CNI's own files and status
		return CNIConfig
	}
	for _, s := range sorts {
		if s.match.MatchString(collector + "/" + file) {
			return s.sort
		}
	}
	return Pasted
}

// origin is where a file's lines come from.
type origin struct {
	file string
	// node is known from a manifest; candidates are path elements that may
	// name one.
	node       string
	candidates []string
	pod        string
	sort       Sort
}

// podPath is how the kubelet names a pod's log folder.
var podPath = regexp.MustCompile(`(?:^|/)([a-z0-9-]+)_([a-z0-9.-]+)_[0-9a-f-]{8,}(?:/|$)`)

// originOf reads a file's path; the item of a bundle's manifest, where there is
// one, knows better.
func originOf(file string, item item) origin {
	o := origin{file: file, node: item.Node, pod: item.Pod, sort: sortOf(file, item.Collector)}
	if m := podPath.FindStringSubmatch(file); m != nil && o.pod == "" {
		o.pod = m[1] + "/" + m[2]
	}
	for dir := path.Dir(file); dir != "." && dir != "/"; dir = path.Dir(dir) {
		base := path.Base(dir)
		o.candidates = append(o.candidates, base)
		if trimmed, found := strings.CutPrefix(base, "node-"); found {
			o.candidates = append(o.candidates, trimmed)
		}
	}
	return o
}

// nodeFiles are files and folders that lie in a folder named after a node, as
// in what kind exports.
var nodeFiles = regexp.MustCompile(`^([^/]+/)*?([^/]+)/(?:pods/.*|containers/.*|kubelet\.log|containerd\.log|journal\.log|kubernetes-version\.txt|journal-[a-z]+\.txt)$`)

// nodeOf picks the path element that names a node; without knowledge of nodes,
// a folder below "nodes", one named "node-<name>" or one that holds what only a
// node's folder holds.
func (o origin) nodeOf(known map[string]bool) string {
	if o.node != "" {
		return o.node
	}
	for _, c := range o.candidates {
		if known[c] {
			return c
		}
	}
	for i, c := range o.candidates {
		if i+1 < len(o.candidates) && o.candidates[i+1] == "nodes" {
			return c
		}
		if trimmed, found := strings.CutPrefix(c, "node-"); found && trimmed != "" {
			return trimmed
		}
	}
	if m := nodeFiles.FindStringSubmatch(o.file); m != nil {
		return m[2]
	}
	return ""
}
