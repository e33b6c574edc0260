// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// Unknown is the honest answer: something is wrong and the evidence does not
// decide what.
type Unknown struct {
	Code Code `json:"code"`
	// Symptoms are lines that say that something is wrong.
	Symptoms []Quote `json:"symptoms,omitempty"`
	// Clues are things seen that matter and are no cause of the list.
	Clues []Clue `json:"clues,omitempty"`
	// RuledOut are causes whose evidence was read and does not show them.
	RuledOut []RuledOut `json:"ruledOut,omitempty"`
	// CollectNext are commands that would yield what is missing.
	CollectNext []string `json:"collectNext,omitempty"`
}

// Clue is something seen that has no code of its own.
type Clue struct {
	Title    string  `json:"title"`
	Evidence []Quote `json:"evidence"`
	// Next is what to do about it.
	Next string `json:"next,omitempty"`
}

// RuledOut is a cause that the evidence would show and does not.
type RuledOut struct {
	Code Code   `json:"code"`
	Why  string `json:"why"`
}

// hints are clues by the wording that gives them.
type hint struct {
	wording *fact.Wording
	title   string
	next    string
}

var clues []hint

// clue registers something worth telling that has no code. While rules decide
// nothing, it is shown with the unknown cause.
func clue(title, next string, wording *fact.Wording) *fact.Wording {
	clues = append(clues, hint{wording, title, next})
	return wording
}

// symptom is any sign that something is wrong.
var symptom = fact.Say("something network-like fails",
	`FailedCreatePodSandBox`, `failed to set ?up network for sandbox`, `i/o timeout`, `connection timed out`,
	`no route to host`, `network is unreachable`, `SERVFAIL`, `NXDOMAIN`, `could not resolve host`,
	`curl: \((?:6|7|28|35|56)\)`, `100% packet loss`, `connection refused`, `NetworkPluginNotReady`,
	`failed to destroy network for sandbox`, `Temporary failure in name resolution`,
)

// unknown says what is known when no cause is. It returns nil when the evidence
// is of a whole cluster and nothing in it is wrong.
func unknown(f *fact.Facts) *Unknown {
	u := &Unknown{Code: UnknownCause}
	for _, h := range clues {
		if said := current(f, f.Said(h.wording)); len(said) > 0 {
			u.Clues = append(u.Clues, Clue{Title: h.title, Evidence: cite(1, said).Evidence, Next: h.next})
		}
	}
	u.Symptoms = symptoms(f)
	if f.Whole && len(u.Symptoms) == 0 {
		return nil
	}
	for _, r := range rules {
		if why, ruledOut := absent(f, r); ruledOut && !slices.ContainsFunc(u.RuledOut, func(o RuledOut) bool { return o.Code == r.Code }) {
			u.RuledOut = append(u.RuledOut, RuledOut{r.Code, why})
		}
	}
	for _, c := range collect {
		if len(f.Files[c.sort]) == 0 {
			u.CollectNext = append(u.CollectNext, c.command)
		}
	}
	return u
}

// absent tells whether all evidence that would show a cause was read, of each
// node that the failed check is about.
func absent(f *fact.Facts, r Rule) (string, bool) {
	if len(r.Looks) == 0 || !f.Whole {
		return "", false
	}
	var read []string
	for _, sort := range r.Looks {
		if len(f.Files[sort]) == 0 {
			return "", false
		}
		for _, node := range involved(f) {
			if !readOf(f, sort, node) {
				return "", false
			}
		}
		read = append(read, string(sort))
	}
	return "not in " + strings.Join(read, ", "), true
}

func involved(f *fact.Facts) []string {
	var nodes []string
	if f.Check != nil {
		for _, failure := range f.Check.Failures {
			for _, n := range []string{failure.Node, failure.Peer} {
				if n != "" && !contains(nodes, n) {
					nodes = append(nodes, n)
				}
			}
		}
	}
	return nodes
}

// readOf tells whether a node's evidence of a sort is there; what the API server
// tells is of all nodes.
func readOf(f *fact.Facts, sort fact.Sort, node string) bool {
	switch sort {
	case fact.KubeletLog, fact.RuntimeLog, fact.KernelLog, fact.CNIConfig:
		return slices.ContainsFunc(f.Files[sort], func(file string) bool { return strings.Contains(file, node) })
	case fact.NetworkState:
		return slices.ContainsFunc(f.Links, func(l fact.Link) bool { return l.Node == node }) &&
			slices.ContainsFunc(f.Routes, func(r fact.Route) bool { return r.Node == node }) &&
			slices.ContainsFunc(f.Sysctls, func(s fact.Sysctl) bool { return s.Node == node }) &&
			slices.ContainsFunc(f.Filters, func(x *fact.Filter) bool { return x.Node == node })
	}
	return true
}

// symptoms are signs of trouble that still hold: a failed check, pods that are
// not up, failures in logs of pods and probes.
func symptoms(f *fact.Facts) []Quote {
	var found Finding
	if f.Check != nil && len(f.Check.Failures) > 0 {
		found.quote(f.Check.Quote)
	}
	for _, p := range f.Pods {
		switch p.Status {
		case "", "Running", "Completed", "Succeeded", "Terminating":
			continue
		}
		found.quote(p.Quote)
	}
	for _, n := range f.Nodes {
		if !n.Ready {
			found.quote(n.Quote)
		}
	}
	for _, s := range current(f, f.Said(symptom)) {
		if s.Sort == fact.PodStatus || !f.Whole {
			found.quote(s.Latest().Quote)
		}
	}
	for _, s := range f.Said(failedProbe) {
		if s.Sort == fact.ProbeResult {
			found.quote(s.Latest().Quote)
		}
	}
	return found.Evidence
}

// collect are the guide's steps, to name those whose evidence is missing.
var collect = []struct {
	sort    fact.Sort
	command string
}{
	{fact.PodStatus, "kubectl describe pod <pod> -n <namespace>; kubectl get events -A --sort-by=.lastTimestamp"},
	{fact.KubeletLog, "journalctl -u kubelet --since -15min"},
	{fact.RuntimeLog, "journalctl -u containerd --since -15min (or -u docker, -u crio)"},
	{fact.CNIPodLog, "kubectl logs -n kube-system -l <label of the CNI's pods> --all-containers --prefix [--previous]"},
	{fact.CNIFile, "ls -l /var/log/*cni* /var/log/calico /var/log/pods"},
	{fact.KernelLog, "dmesg -T"},
	{fact.CNIConfig, "ls -l /etc/cni/net.d /opt/cni/bin; cat /etc/cni/net.d/*"},
	{fact.NetworkState, "ip -d addr; ip route show table all; ip rule; iptables-save -c; nft list ruleset; sysctl -a | grep ^net"},
}
