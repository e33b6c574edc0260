// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp"
	"strings"
)

// Sysctl is a kernel setting of a node.
type Sysctl struct {
	Node, Key, Value string
	Quote            Quote
}

var sysctlLine = regexp.MustCompile(`^\s*(net\.[A-Za-z0-9_./@-]+)\s*=\s*(\S.*?)\s*$`)

// sysctlParser reads the output of sysctl.
type sysctlParser struct {
	facts *Facts
}

func (p *sysctlParser) line(q Quote) {
	if !strings.Contains(q.Text, "net.") || !strings.Contains(q.Text, "=") {
		return
	}
	if m := sysctlLine.FindStringSubmatch(q.Text); m != nil {
		p.facts.Sysctls = append(p.facts.Sysctls, Sysctl{Key: m[1], Value: m[2], Quote: q})
	}
}
