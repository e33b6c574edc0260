// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/cluster"
)

// Differences is the folder of what sets each node of the failure apart from the
// healthy one. It repeats lines of the healthy node, so nothing may be concluded
// from it by reading it.
const Differences = "differences"

// compared are the files of a node, below nodes/<node>/, that should say the same
// on every node, as path.Match takes them.
var compared = []string{
	"files/etc/cni/net.d/*", "listing/opt/cni/bin.arch.txt", "flannel/subnet.env",
	"runtime/containerd-config.toml", "runtime/containerd-version.txt", "runtime/crictl-version.txt", "runtime/services.txt",
	"network/ip-addr.txt", "network/ip-route-4.txt", "network/ip-route-6.txt", "network/ip-rule-4.txt", "network/ip-rule-6.txt",
	"network/iptables-nft.txt", "network/iptables-legacy.txt", "network/ip6tables-nft.txt", "network/ip6tables-legacy.txt", "network/iptables-version.txt",
	"network/sysctl.txt", "network/resolv.conf", "network/tc-qdisc.txt", "modules.txt",
}

// mostDifferent is how many lines are shown of one file, each way.
const mostDifferent = 40

// compare saves what sets the nodes of the failure apart from the healthy one.
func (run *collection) compare() {
	healthy := run.Subject.Healthy
	if healthy == "" {
		return
	}
	ref := node{run.Request, healthy}
	for _, name := range run.Subject.Nodes {
		if name == healthy || !(node{run.Request, name}).any() {
			continue
		}
		w := run.writer("differences", name)
		item := w.begin(fmt.Sprintf("diff -r nodes/%s nodes/%s   # without counters, ids, ages and own addresses", fileName(healthy), fileName(name)))
		text := node{run.Request, name}.differences(ref)
		if text == "" {
			item.Note = "none found"
			text = "no difference to " + healthy + " in what was collected of both\n"
		}
		item.Path = path.Join(Differences, fileName(name)+".txt")
		w.saveText(item, text)
	}
}

// node is one node of a bundle.
type node struct {
	Request
	name string
}

func (n node) root() fs.FS { return os.DirFS(filepath.Join(n.Dir, "nodes", fileName(n.name))) }

// any tells whether there is anything of it to compare.
func (n node) any() bool {
	for _, pattern := range compared {
		if names, _ := fs.Glob(n.root(), pattern); len(names) > 0 {
			return true
		}
	}
	return false
}

// differences are the lines that only one of the two has, file by file.
func (n node) differences(healthy node) string {
	var text strings.Builder
	for _, pattern := range compared {
		names, _ := fs.Glob(n.root(), pattern)
		others, _ := fs.Glob(healthy.root(), pattern)
		names = append(names, others...)
		slices.Sort(names)
		if !n.six() && strings.Contains(pattern, "6") {
			continue
		}
		for _, file := range slices.Compact(names) {
			here, hereErr := fs.ReadFile(n.root(), file)
			there, thereErr := fs.ReadFile(healthy.root(), file)
			switch {
			case hereErr != nil && strings.HasPrefix(file, "files/"):
				fmt.Fprintf(&text, "%s\n  only on %s\n", file, healthy.name)
			case thereErr != nil && strings.HasPrefix(file, "files/"):
				fmt.Fprintf(&text, "%s\n  only here\n", file)
			case hereErr == nil && thereErr == nil:
				onlyHere, onlyThere := apart(n.lines(here), healthy.lines(there))
				if len(onlyHere)+len(onlyThere) > 0 {
					fmt.Fprintf(&text, "%s\n%s%s", file, listed("only here", onlyHere), listed("only on "+healthy.name, onlyThere))
				}
			}
		}
	}
	return text.String()
}

func listed(where string, lines []string) string {
	var text strings.Builder
	for i, line := range lines {
		if i == mostDifferent {
			fmt.Fprintf(&text, "  %s: %d more\n", where, len(lines)-i)
			break
		}
		fmt.Fprintf(&text, "  %s: %s\n", where, line)
	}
	return text.String()
}

// apart are the lines of a that b does not have, and the reverse, each as often
// as it has it more often, in their order.
func apart(a, b []string) (onlyA, onlyB []string) {
	return more(a, b), more(b, a)
}

func more(a, b []string) []string {
	count := map[string]int{}
	for _, line := range b {
		count[line]++
	}
	var only []string
	for _, line := range a {
		if count[line]--; count[line] < 0 {
			only = append(only, line)
		}
	}
	return only
}

// noise is what differs between any two nodes, or two moments, and says nothing:
// lines that are left out, and parts of lines with what they are replaced by.
var (
	noisyLine = regexp.MustCompile(`^(?:` + strings.Join([]string{
		`#.*`, `:(?:KUBE|CNI|DOCKER)\S* .*`, // iptables-save's dates, chains without a policy
		`.*-A (?:KUBE-(?:SEP|SVC|SVL|EXT|FW|NODEPORTS|EXTERNAL-SERVICES)|CNI-|DOCKER_).*`, `.*cniproof-\d+.*`, // per endpoint, per pod, and the run's own Services
		`(?:bridge|bridge_slave|tun|veth|vxlan|link/\S+) .*|veth`, // details of links, all of which are in ip-link.txt
		`(?:\d+: )?(?:veth|cali|lxc)\w*@.*`, `.*\bdev (?:veth|cali|lxc)\w+.*`, `qdisc noqueue .*`,
		`(?:Process|Main PID|Tasks|Memory|CPU|CGroup|Docs|Drop-In|Loaded|IO|IP):.*`, "(?:[|` ]|\u2514|\u251c|\u2500).*", // systemctl status
		`(?:Sent|backlog|RX|TX|Exp) .*`,
		`net\.netfilter\.nf_conntrack_count.*`, `kernel\.(?:random|ns_last_pid).*`, `fs\.(?:dentry-state|file-nr|inode).*`,
		`net\.(?:ipv[46]|mpls)\.(?:conf|neigh)\.(?:veth|cali|lxc).*`, `net\.ipv6\.conf\.\S+\.stable_secret.*`,
	}, "|") + `)$`)
	noise = []struct {
		of *regexp.Regexp
		is string
	}{
		{regexp.MustCompile(`\[\d+:\d+\] ?`), ""}, // counters of iptables
		{regexp.MustCompile(`\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b`), "<mac>"},
		{regexp.MustCompile(`\bfe80::[0-9a-f:]+(?:/\d+)?`), "<link-local>"},
		{regexp.MustCompile(`^\d+: |@if\d+|\blink-netns(?:id)? \S+|\biif\d+`), ""}, // indexes of links
		{regexp.MustCompile(`\b[0-9a-f]{32,64}\b`), "<id>"},
		{regexp.MustCompile(`\b(?:valid_lft|preferred_lft|age|expires|pid)[ =]\d+(?:sec)?`), ""},
		{regexp.MustCompile(`since \w{3} \d{4}-.*|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}\S*`), "<time>"},
	}
)

// lines are the lines of a file without noise and with the node's own name and
// addresses replaced by what they are, and other nodes' by that they are others'.
func (n node) lines(data []byte) []string {
	replacer, six := n.names(), n.six()
	var lines []string
	for _, line := range strings.Split(string(data), "\n") {
		if line = strings.TrimSpace(line); noisyLine.MatchString(line) || !six && strings.HasPrefix(line, "inet6 ") {
			continue
		}
		line = replacer.Replace(line + " ")
		for _, x := range noise {
			line = x.of.ReplaceAllString(line, x.is)
		}
		if line = strings.Join(strings.Fields(line), " "); line != "" && line != "{" && line != "}" {
			lines = append(lines, line)
		}
	}
	return lines
}

// six tells whether the cluster has IPv6.
func (n node) six() bool { return slices.Contains(n.Cluster.Families, corev1.IPv6Protocol) }

// names replaces names and addresses of nodes. What ends in a digit is replaced
// only where no digit, dot or slash follows.
func (n node) names() *strings.Replacer {
	type pair struct{ of, is string }
	var pairs []pair
	add := func(of, is string) {
		for _, end := range []string{" ", "/32", "/128", ":", ",", "\"", "'"} {
			pairs = append(pairs, pair{of + end, is + end})
		}
	}
	nodes := slices.Clone(n.Cluster.Nodes)
	slices.SortFunc(nodes, func(a, b cluster.Node) int { return cmp.Compare(len(b.Name), len(a.Name)) })
	for _, other := range nodes {
		whose := "<another node's "
		if other.Name == n.name {
			whose = "<its own "
		}
		pairs = append(pairs, pair{other.Name, whose + "name>"})
		for _, ip := range other.InternalIPs {
			add(ip.String(), whose+"address>")
			pairs = append(pairs, pair{ip.String() + "/", whose + "address>/"})
		}
		for _, r := range other.PodCIDRs {
			first := r.Masked().Addr()
			pairs = append(pairs, pair{r.String(), whose + "pod range>"}, pair{first.Next().String() + "/" + fmt.Sprint(r.Bits()), whose + "pod range's gateway>"})
			add(first.String(), whose+"pod range's base>")
			add(first.Next().String(), whose+"gateway>")
			add(last(r).String(), whose+"pod range's broadcast address>")
		}
	}
	var words []string
	for _, p := range pairs {
		words = append(words, p.of, p.is)
	}
	return strings.NewReplacer(words...)
}

// last is the last address of a range.
func last(r netip.Prefix) netip.Addr {
	bytes := r.Masked().Addr().AsSlice()
	for bit := r.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}
