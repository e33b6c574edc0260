// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// tableParser reads what kubectl get prints: pods, nodes, workloads, Services,
// EndpointSlices, and the ages of events.
type tableParser struct {
	facts   *Facts
	columns []column
}

type column struct {
	name string
	at   int
}

var (
	headerLine = regexp.MustCompile(`^(?:NAMESPACE|NAME|LAST SEEN|LAST|CONTAINER ID) +[A-Z]`)
	// podRow is a row of get pods, with or without its header and namespace.
	podRow = regexp.MustCompile(`^(?:([a-z0-9][a-z0-9-]*) +)?((?:pods?/)?[a-z0-9][a-z0-9.-]*) +(\d+)/(\d+) +([A-Z][A-Za-z0-9:/]*) +(\d+)(?: \([^)]*\))? +((?:\d+[ydhms])+|<\S+>)(?: +(\S+) +(\S+))?`)
	// notRow matches what ends a table without a blank line: another output.
	notRow = regexp.MustCompile(`^(?:\s|#|\$|[A-Z][A-Za-z ]*:)`)
	// nodeName is a DNS subdomain.
	nodeName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
	// readyCount is the READY column of deployments.
	readyCount = regexp.MustCompile(`^(\d+)/(\d+)$`)
)

// row is one line of a table, read by its header.
type row struct {
	parser *tableParser
	quote  Quote
}

// line reads a row and returns what the row says about itself.
func (p *tableParser) line(q Quote) rowPlace {
	text := q.Text
	if headerLine.MatchString(text) {
		p.header(text)
		return rowPlace{}
	}
	if strings.TrimSpace(text) == "" {
		p.columns = nil
		return rowPlace{}
	}
	if m := podRow.FindStringSubmatch(text); m != nil && strings.ContainsAny(m[2], "-0123456789") || m != nil && len(p.columns) > 0 {
		return p.pod(m, q)
	}
	if len(p.columns) == 0 {
		return rowPlace{}
	}
	if notRow.MatchString(text) {
		p.columns = nil
		return rowPlace{}
	}
	r := row{p, q}
	switch {
	case p.has("OBJECT") && p.has("REASON"):
		return r.event()
	case p.has("ROLES") && p.has("VERSION"):
		r.node()
	case p.has("UP-TO-DATE"):
		r.workload()
	case p.has("CLUSTER-IP"):
		r.service()
	case p.has("ADDRESSTYPE"), p.has("ENDPOINTS"):
		r.endpoints()
	case p.has("POD-SELECTOR"):
		r.policy()
	}
	return rowPlace{}
}

// rowPlace is what a row says about where and when its text belongs.
type rowPlace struct {
	pod, node string
	ago       time.Duration
	hasAgo    bool
}

// twoWordNames are the columns whose names have a space.
var twoWordNames = strings.NewReplacer("LAST SEEN", "LAST\x00SEEN", "FIRST SEEN", "FIRST\x00SEEN", "NODE SELECTOR", "NODE\x00SELECTOR",
	"NOMINATED NODE", "NOMINATED\x00NODE", "READINESS GATES", "READINESS\x00GATES", "CONTAINER ID", "CONTAINER\x00ID")

// longestHeader is more than any table's header has.
const longestHeader = 2000

func (p *tableParser) header(text string) {
	p.columns = nil
	if len(text) > longestHeader {
		return
	}
	text = twoWordNames.Replace(text)
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		end := i
		for end < len(text) && text[end] != ' ' {
			end++
		}
		p.columns = append(p.columns, column{strings.ReplaceAll(text[i:end], "\x00", " "), i})
		i = end
	}
}

func (p *tableParser) has(name string) bool {
	for _, c := range p.columns {
		if c.name == name {
			return true
		}
	}
	return false
}

// cell returns a column's text, empty when the table has no such column.
func (r row) cell(name string) string {
	for i, c := range r.parser.columns {
		if c.name != name || c.at >= len(r.quote.Text) {
			continue
		}
		end := len(r.quote.Text)
		if i+1 < len(r.parser.columns) {
			end = min(end, r.parser.columns[i+1].at)
		}
		value := strings.TrimSpace(r.quote.Text[c.at:end])
		if value == "<none>" || value == "<unset>" {
			return ""
		}
		return value
	}
	return ""
}

func (p *tableParser) pod(m []string, q Quote) rowPlace {
	pod := Pod{Namespace: m[1], Name: strings.TrimPrefix(strings.TrimPrefix(m[2], "pods/"), "pod/"), Status: m[5], Quote: q}
	pod.Ready, _ = strconv.Atoi(m[3])
	pod.Containers, _ = strconv.Atoi(m[4])
	pod.Restarts, _ = strconv.Atoi(m[6])
	if m[8] != "" && m[8] != "<none>" {
		pod.IP = m[8]
	}
	if m[9] != "" && m[9] != "<none>" {
		pod.Node = m[9]
	}
	p.facts.Pods = append(p.facts.Pods, pod)
	return rowPlace{pod: pod.ID(), node: pod.Node}
}

func (r row) event() rowPlace {
	var p rowPlace
	p.ago, p.hasAgo = age(r.cell("LAST SEEN"))
	kind, name, found := strings.Cut(r.cell("OBJECT"), "/")
	if !found {
		kind, name = strings.ToLower(r.cell("KIND")), kind
	}
	switch kind {
	case "pod":
		p.pod = strings.TrimPrefix(r.cell("NAMESPACE")+"/"+name, "/")
	case "node":
		p.node = name
	}
	return p
}

func (r row) node() {
	status := r.cell("STATUS")
	n := Node{Name: r.cell("NAME"), Ready: strings.HasPrefix(status, "Ready"), Kubelet: r.cell("VERSION"),
		Runtime: r.cell("CONTAINER-RUNTIME"), Quote: r.quote}
	if ip := r.cell("INTERNAL-IP"); ip != "" {
		n.Addresses = []string{ip}
	}
	if nodeName.MatchString(n.Name) && strings.Contains(status, "Ready") {
		r.parser.facts.Nodes = append(r.parser.facts.Nodes, n)
	}
}

func (r row) workload() {
	kind, name, found := strings.Cut(r.cell("NAME"), "/")
	w := Workload{Kind: strings.TrimSuffix(kind, ".apps"), Namespace: r.cell("NAMESPACE"), Name: name, Quote: r.quote}
	if !found {
		w.Kind, w.Name = "deployment", kind
		if r.parser.has("DESIRED") {
			w.Kind = "daemonset"
		}
	}
	if m := readyCount.FindStringSubmatch(r.cell("READY")); m != nil {
		w.Ready, _ = strconv.Atoi(m[1])
		w.Desired, _ = strconv.Atoi(m[2])
	} else {
		w.Ready, _ = strconv.Atoi(r.cell("READY"))
		w.Desired, _ = strconv.Atoi(r.cell("DESIRED"))
	}
	if w.Name != "" {
		r.parser.facts.Workloads = append(r.parser.facts.Workloads, w)
	}
}

func (r row) service() {
	s := Service{Namespace: r.cell("NAMESPACE"), Name: strings.TrimPrefix(r.cell("NAME"), "service/"), ClusterIP: r.cell("CLUSTER-IP"),
		Type: r.cell("TYPE"), HasSelector: r.parser.has("SELECTOR"), Quote: r.quote}
	s.Selector = labelSet(r.cell("SELECTOR"))
	for _, port := range strings.Split(r.cell("PORT(S)"), ",") {
		number, protocol, _ := strings.Cut(port, "/")
		number, _, _ = strings.Cut(number, ":")
		if n, err := strconv.Atoi(number); err == nil {
			s.Ports = append(s.Ports, ServicePort{Protocol: protocol, Port: n})
		}
	}
	if s.Name != "" {
		r.parser.facts.Services = append(r.parser.facts.Services, s)
	}
}

func labelSet(text string) map[string]string {
	var set map[string]string
	for _, pair := range strings.Split(text, ",") {
		if k, v, found := strings.Cut(pair, "="); found {
			if set == nil {
				set = map[string]string{}
			}
			set[k] = v
		}
	}
	return set
}

// sliceSuffix is what the EndpointSlice controller adds to a Service's name.
var sliceSuffix = regexp.MustCompile(`-[a-z0-9]{5}$`)

func (r row) endpoints() {
	name := r.cell("NAME")
	if at := strings.LastIndex(name, "/"); at >= 0 {
		name = name[at+1:]
	}
	if r.parser.has("ADDRESSTYPE") {
		name = sliceSuffix.ReplaceAllString(name, "")
	}
	e := Endpoints{Namespace: r.cell("NAMESPACE"), Service: name, Quote: r.quote}
	for _, a := range strings.Split(r.cell("ENDPOINTS"), ",") {
		if a != "" && a != "<unset>" {
			e.Ready = append(e.Ready, a)
		}
	}
	if name != "" {
		r.parser.facts.Endpoints = append(r.parser.facts.Endpoints, e)
	}
}

func (r row) policy() {
	p := Policy{Kind: "networkpolicy", Namespace: r.cell("NAMESPACE"), Name: r.cell("NAME"), Selector: labelSet(r.cell("POD-SELECTOR")),
		Ingress: true, Quote: r.quote}
	if p.Name != "" {
		r.parser.facts.Policies = append(r.parser.facts.Policies, p)
	}
}
