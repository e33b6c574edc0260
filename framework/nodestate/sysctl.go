// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"bytes"
	"strconv"
	"strings"
)

// Sysctls are the kernel settings that packets of pods depend on. They are read
// as files: sysctl(8) writes the dot of an interface's name in several ways.
var Sysctls = Part{"its kernel settings", "cd /proc/sys && grep -s . " +
	"net/ipv4/ip_forward net/ipv4/conf/*/forwarding net/ipv4/conf/*/rp_filter net/ipv6/conf/*/forwarding net/ipv6/conf/*/force_forwarding " +
	"net/bridge/bridge-nf-call-ip*tables net/netfilter/nf_conntrack_count net/netfilter/nf_conntrack_max"}

// Settings are kernel settings by the path below /proc/sys, e.g.
// net/ipv4/conf/flannel.1/rp_filter.
type Settings map[string]int

// Sysctls needs part Sysctls.
func (s *State) Sysctls() (Settings, error) {
	out, err := s.text(Sysctls)
	if err != nil {
		return nil, err
	}
	return parseSettings(out), nil
}

func parseSettings(out []byte) Settings {
	settings := Settings{}
	for line := range bytes.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		if n, err := strconv.Atoi(value); err == nil {
			settings[key] = n
		}
	}
	return settings
}

// Strict tells whether the reverse path filter of the interface is strict: of
// conf/all and the interface's own, the higher value counts, and 2 is loose
// (kernel, Documentation/networking/ip-sysctl.rst, rp_filter).
func (s Settings) Strict(link string) bool {
	return max(s["net/ipv4/conf/all/rp_filter"], s["net/ipv4/conf/"+link+"/rp_filter"]) == 1
}
