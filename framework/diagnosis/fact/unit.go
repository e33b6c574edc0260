// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp"
	"strconv"
	"strings"
)

// Unit is a systemd service of a node, as systemctl status prints it.
type Unit struct {
	Node, Name string
	// Active is active, inactive, failed, activating ...
	Active string
	Quote  Quote
}

// Counter is one of the kernel's network counters, as nstat -a prints it.
type Counter struct {
	Node, Name string
	Value      uint64
	Quote      Quote
}

var (
	unitLine    = regexp.MustCompile(`^[●○×* ]?\s*([\w@.-]+\.service)(?: - .*)?$`)
	activeLine  = regexp.MustCompile(`^\s+Active: (\w+)`)
	counterLine = regexp.MustCompile(`^([A-Z][A-Za-z0-9]+)\s+(\d+)\s+\d+\.\d+$`)
)

// unitParser reads the output of systemctl status and of nstat.
type unitParser struct {
	facts *Facts
	name  string
}

func (p *unitParser) line(q Quote) {
	switch {
	case strings.Contains(q.Text, ".service"):
		if m := unitLine.FindStringSubmatch(q.Text); m != nil {
			p.name = m[1]
		}
	case p.name != "" && strings.Contains(q.Text, "Active:"):
		if m := activeLine.FindStringSubmatch(q.Text); m != nil {
			p.facts.Units = append(p.facts.Units, Unit{Name: p.name, Active: m[1], Quote: q})
			p.name = ""
		}
	case strings.HasSuffix(q.Text, ".0"):
		if m := counterLine.FindStringSubmatch(q.Text); m != nil {
			if value, err := strconv.ParseUint(m[2], 10, 64); err == nil {
				p.facts.Counters = append(p.facts.Counters, Counter{Name: m[1], Value: value, Quote: q})
			}
		}
	}
}
