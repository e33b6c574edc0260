// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// mtuSum is an equation of headers and what follows from it, for nodes with the
// same figures.
type mtuSum struct {
	Nodes []string
	// Whole is what the headers are taken from and Left what remains.
	Whole   header
	Headers []header
	Left    header
	// Says is what that means; Class its outcome, as far as figures tell.
	Says, Class string
}

// header is a name and a number of bytes.
type header struct {
	Name  string
	Bytes int
}

// encapsulations are the headers that a CNI puts around a pod's packet inside
// the outer IP header, by a word of its name or mode: RFC 7348 (VXLAN), RFC 8926
// (Geneve, without options), RFC 2003 (IP in IP), and WireGuard's data message.
var encapsulations = []struct {
	Word    string
	Headers []header
}{
	{"vxlan", []header{{"UDP", 8}, {"VXLAN", 8}, {"inner Ethernet", 14}}},
	{"geneve", []header{{"UDP", 8}, {"Geneve", 8}, {"inner Ethernet", 14}}},
	{"wireguard", []header{{"UDP", 8}, {"WireGuard", 32}}},
	{"ipip", nil},
}

// sums are the equations of a node's figures: what goes around a pod's packet,
// and what is in it.
func sums(run Run, on sizes) []mtuSum {
	var list []mtuSum
	pod := on[podMTU]
	for _, family := range []string{"", overIPv6} {
		if on[underlayMTU+family] > 0 && pod > 0 {
			list = append(list, around(run, on, family))
		}
	}
	if pod > 0 {
		list = append(list, inside(run, on))
	}
	return list
}

// around is what the network between nodes carries, less the tunnel's headers.
func around(run Run, on sizes, family string) mtuSum {
	whole := header{underlayMTU + family, on[underlayMTU+family]}
	s := mtuSum{Whole: whole, Headers: tunnelHeaders(run, on, family), Left: header{"room for a pod's packet", whole.Bytes}}
	for _, h := range s.Headers {
		s.Left.Bytes -= h.Bytes
	}
	who, pod, tunnel := "pod", on[podMTU], on[tunnelMTU+family]
	if family == overIPv6 && tunnel > 0 {
		// Nodes tell pods what fits into a tunnel over IPv6 (RFC 8201): what
		// counts is that the tunnel's own packets fit.
		who, pod = "tunnel", tunnel
	}
	s.Class = string(check.Passed)
	switch largest := max(pod, tunnel); {
	case largest > s.Left.Bytes:
		s.Class, s.Says = string(check.Failed), fmt.Sprintf("%d bytes too many: packets of %d do not fit", largest-s.Left.Bytes, largest)
	case pod == s.Left.Bytes:
		s.Says = fmt.Sprintf("the %s's %d fit exactly", who, pod)
	default:
		s.Says = fmt.Sprintf("the %s's %d fit, %d to spare", who, pod, s.Left.Bytes-pod)
	}
	return s
}

// tunnelHeaders are those of the CNI's tunnel, one by one where they are known
// to make the overhead that was measured.
func tunnelHeaders(run Run, on sizes, family string) []header {
	overhead, measured := on[tunnelOverhead+family]
	if measured && overhead == 0 {
		return nil
	}
	ip := header{"IPv4", 20}
	if family == overIPv6 {
		ip = header{"IPv6", 40}
	}
	cni := strings.ToLower(run.Cluster.CNI)
	for _, e := range encapsulations {
		headers := append([]header{ip}, e.Headers...)
		if strings.Contains(cni, e.Word) && (!measured || total(headers) == overhead) {
			return headers
		}
	}
	if measured {
		return []header{{"tunnel", overhead}}
	}
	return nil
}

func total(headers []header) int {
	n := 0
	for _, h := range headers {
		n += h.Bytes
	}
	return n
}

// inside is what the headers in a pod's packet leave to a TCP segment.
func inside(run Run, on sizes) mtuSum {
	ip := header{"IPv4", 20}
	if len(run.Cluster.Families) == 1 && run.Cluster.Families[0] == "IPv6" {
		ip = header{"IPv6", 40}
	}
	pod, path := on[podMTU], 0
	for name, size := range on {
		// Over IPv6 a path may be smaller, since pods are told of it.
		if strings.HasPrefix(name, pathMTU) && (ip.Bytes == 40 || !strings.HasSuffix(name, overIPv6)) && (path == 0 || size < path) {
			path = size
		}
	}
	s := mtuSum{Whole: header{podMTU, pod}, Headers: []header{ip, {"TCP", 20}}, Left: header{"largest TCP segment (MSS)", pod - ip.Bytes - 20}}
	switch {
	case path == 0:
		s.Class, s.Says = none, "no packet of this size was seen to pass"
	case path < pod && ip.Bytes == 20:
		s.Class, s.Says = string(check.Failed), fmt.Sprintf("a path carries %d only: %d bytes too few", path, pod-path)
	case path < pod:
		s.Class, s.Says = string(check.Passed), fmt.Sprintf("a path carries %d, and pods are told so", path)
	default:
		s.Class, s.Says = string(check.Passed), fmt.Sprintf("a packet of %d passes whole", pod)
	}
	return s
}
