// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp"
	"strings"
)

// describeParser reads what kubectl describe prints of pods, nodes and
// Services.
type describeParser struct {
	facts *Facts
	name  string
	space string
	node  string
	// isNode tells that the block describes a node.
	isNode bool
	// podAt and nodeAt are the facts of this block, -1 for none.
	podAt, nodeAt int
	selector      map[string]string
	service       bool
	// labels tells that lines with labels follow.
	labels bool
}

var describeField = regexp.MustCompile(`^(\s*)([A-Z][A-Za-z -]*):(?:\s+(\S.*?))?\s*$`)

// line returns the pod or node the block is about.
func (p *describeParser) line(q Quote) rowPlace {
	m := describeField.FindStringSubmatch(q.Text)
	if m == nil {
		p.moreLabels(q.Text)
		var at rowPlace
		if e := eventLine.FindStringSubmatch(q.Text); e != nil {
			at.ago, at.hasAgo = age(e[1])
		}
		return p.place(at)
	}
	field, value, top := m[2], m[3], m[1] == ""
	p.labels = top && field == "Labels"
	switch {
	case top && field == "Name":
		*p = describeParser{facts: p.facts, name: value, podAt: -1, nodeAt: -1}
	case p.name == "":
		return rowPlace{}
	case top && field == "Namespace":
		p.space = value
	case top && field == "Roles":
		p.isNode = true
		p.facts.Nodes = append(p.facts.Nodes, Node{Name: p.name, Ready: true, Quote: q})
		p.nodeAt = len(p.facts.Nodes) - 1
	case p.nodeAt >= 0:
		p.ofNode(field, value)
	case top && field == "Node" && value != "<none>":
		p.node, _, _ = strings.Cut(value, "/")
		p.facts.Pods = append(p.facts.Pods, Pod{Namespace: p.space, Name: p.name, Node: p.node, Quote: q})
		p.podAt = len(p.facts.Pods) - 1
	case p.podAt >= 0:
		if !top {
			field = "  " + field
		}
		p.ofPod(field, value)
	case top && field == "Selector":
		p.selector, p.service = labelSet(value), true
		p.facts.Services = append(p.facts.Services, Service{Namespace: p.space, Name: p.name, Selector: p.selector, HasSelector: true, Quote: q})
	case top && p.service && (field == "TargetPort" || field == "Port"):
		p.ofService(field, value)
	case top && field == "Endpoints" && p.service:
		e := Endpoints{Namespace: p.space, Service: p.name, Quote: q}
		if value != "<none>" && value != "" {
			e.Ready = strings.Split(value, ",")
		}
		p.facts.Endpoints = append(p.facts.Endpoints, e)
	}
	return p.place(rowPlace{})
}

func (p *describeParser) place(at rowPlace) rowPlace {
	switch {
	case p.isNode:
		at.node = p.name
	case p.podAt >= 0:
		at.node, at.pod = p.node, strings.TrimPrefix(p.space+"/"+p.name, "/")
	}
	return at
}

// moreLabels reads the labels after the first, one a line.
func (p *describeParser) moreLabels(text string) {
	if !p.labels || p.podAt < 0 {
		return
	}
	pod := &p.facts.Pods[p.podAt]
	for k, v := range labelSet(strings.TrimSpace(text)) {
		if pod.Labels == nil {
			pod.Labels = map[string]string{}
		}
		pod.Labels[k] = v
	}
}

func (p *describeParser) ofNode(field, value string) {
	n := &p.facts.Nodes[p.nodeAt]
	switch field {
	case "PodCIDR":
		n.PodCIDRs = []string{value}
	case "PodCIDRs":
		n.PodCIDRs = strings.Split(value, ",")
	case "InternalIP":
		n.Addresses = append(n.Addresses, value)
	case "Container Runtime Version":
		n.Runtime = value
	case "Kubelet Version":
		n.Kubelet = value
	}
}

// ofPod reads a field; those of containers are indented.
func (p *describeParser) ofPod(field, value string) {
	pod := &p.facts.Pods[p.podAt]
	switch {
	case field == "Labels":
		pod.Labels = labelSet(value)
	case field == "Status":
		pod.Status = value
	case field == "IP":
		pod.IP = value
	case field == "  Reason" && (value == "CrashLoopBackOff" || strings.HasPrefix(value, "ContainerC") ||
		value == "ImagePullBackOff" || value == "ErrImagePull"):
		pod.Status = value
	case field == "  Ready" && value == "True":
		pod.Ready++
		pod.Containers++
	case field == "  Ready" && value == "False":
		pod.Containers++
	}
}

func (p *describeParser) ofService(field, value string) {
	s := &p.facts.Services[len(p.facts.Services)-1]
	words := strings.Fields(value)
	if len(words) == 0 {
		return
	}
	number, protocol, _ := strings.Cut(words[len(words)-1], "/")
	if field == "TargetPort" && len(s.Ports) > 0 {
		s.Ports[len(s.Ports)-1].Target = number
		return
	}
	if field == "Port" {
		if r := ports(number); len(r) == 1 {
			s.Ports = append(s.Ports, ServicePort{Port: r[0].low, Protocol: protocol})
		}
	}
}
