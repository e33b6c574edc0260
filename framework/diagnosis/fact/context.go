// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp"
	"strings"
)

// Prefixes that say where a line comes from.
var (
	// journalLine is "Nov 22 14:45:25.289 worker kubelet[2281]: ...", or with a
	// date of ISO 8601.
	journalLine = regexp.MustCompile(`^(?:[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-][\d:]+)) ([A-Za-z0-9][A-Za-z0-9.-]*) ([A-Za-z][\w.@-]*?)(?:\[\d+\])?: `)
	// prefixedLine is kubectl logs --prefix: "[pod/name/container] ...".
	prefixedLine = regexp.MustCompile(`^\[pod/([a-z0-9.-]+)/[a-z0-9.-]+\] `)
	// eventSource is "kubelet, node01" as describe and get events print it.
	eventSource = regexp.MustCompile(`\bkubelet, ([a-z0-9][a-z0-9.-]*)\b`)
	// eventLine is a row of describe's Events table: type, reason, age, from.
	eventLine = regexp.MustCompile(`^\s*(?:Warning|Normal)\s+[A-Za-z]+\s+((?:\d+[ydhms])+)(?: \(x\d+ over (?:\d+[ydhms])+\))?\s`)
	// podOfLine is how the kubelet names a pod in structured logs.
	podOfLine = regexp.MustCompile(`\bpods?="?\[?"?([a-z0-9-]+/[a-z0-9.-]+)"`)
)

// units maps the unit of a journal line to the sort of evidence it is.
var units = []struct {
	prefix string
	sort   Sort
}{
	{"kubelet", KubeletLog}, {"containerd", RuntimeLog}, {"docker", RuntimeLog}, {"cri-", RuntimeLog},
	{"crio", RuntimeLog}, {"kernel", KernelLog},
}

// place is what a line, and the lines before it, say about where it belongs.
type place struct {
	node, pod string
	sort      Sort
}

// placeOf reads a line's own prefix. What the line does not say is empty.
func placeOf(line string) place {
	var p place
	if m := journalLine.FindStringSubmatch(line); m != nil {
		p.node = m[1]
		for _, u := range units {
			if strings.HasPrefix(m[2], u.prefix) {
				p.sort = u.sort
			}
		}
	} else if m := prefixedLine.FindStringSubmatch(line); m != nil {
		p.pod = m[1]
	}
	if m := eventSource.FindStringSubmatch(line); m != nil {
		p.node = m[1]
	}
	if m := podOfLine.FindStringSubmatch(line); m != nil {
		p.pod = m[1]
	}
	if p.sort == "" && eventLine.MatchString(line) {
		p.sort = PodStatus
	}
	return p
}

// recordStart matches lines that begin something new; in pasted text, other
// lines continue the one before.
var recordStart = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d`, // journal
	`\d{4}[-/]\d\d[-/]\d\d`,                 // a date
	`[IWEF]\d{4} \d\d:`,                     // klog
	`\s*(?:Warning|Normal)\s`,               // an event
	`\s*(?:time|level|ts)=`,                 // logrus
	`[\[{#$*:]`,                             // [INFO], JSON, shell, iptables
	`\s*(?:INFO|WARN|ERRO|ERROR|FATA|FATAL|DEBU|level)\b`,
	`\S+(?: {2,}\S+){2,}`, // a row of a table
	`-[AIPN] `,            // a packet filter rule
	`\s*[A-Za-z-]+:(?:\s|$)`,
	`\s*-{2,}`,
}, "|") + `)`)

// continues tells whether a line of pasted text belongs to the one before.
func continues(before, line string) bool {
	if strings.TrimSpace(before) == "" || strings.TrimSpace(line) == "" {
		return false
	}
	if strings.HasSuffix(strings.TrimSpace(before), `\`) {
		return true
	}
	return !recordStart.MatchString(line)
}
