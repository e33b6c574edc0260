// SPDX-License-Identifier: Apache-2.0

package mtu

import (
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

// encapsulation is how a CNI carries packets between nodes: the beginnings of
// the names of its devices and the bytes its headers take, for an underlay of
// IPv4 and of IPv6.
type encapsulation struct {
	name     string
	devices  [2]string
	overhead [2]int
}

// Overheads. VXLAN and Geneve without options: outer IP, UDP 8, header 8, inner
// Ethernet 14 (RFC 7348, RFC 8926). IP in IP: outer IP (RFC 2003). WireGuard:
// outer IP, UDP 8, header 16, tag 16.
var (
	vxlanOverhead     = [2]int{50, 70}
	ipipOverhead      = [2]int{20, 40}
	wireguardOverhead = [2]int{60, 80}
)

// encapsulations are known by kind and backend of the CNI (cluster.CNI). The
// device of Cilium has no MTU of its own: the routes in pods have it.
var encapsulations = map[string]encapsulation{
	"flannel vxlan":     {"VXLAN", [2]string{"flannel.", "flannel-v6."}, vxlanOverhead},
	"flannel wireguard": {"WireGuard", [2]string{"flannel-wg", "flannel-wg-v6"}, wireguardOverhead},
	"flannel ipip":      {"IP in IP", [2]string{"flannel.ipip"}, ipipOverhead},
	"flannel udp":       {"UDP", [2]string{"flannel0"}, [2]int{28, 48}},
	"flannel host-gw":   {name: "no tunnel"},
	"calico vxlan":      {"VXLAN", [2]string{"vxlan.calico", "vxlan-v6.calico"}, vxlanOverhead},
	"calico ipip":       {"IP in IP", [2]string{"tunl0"}, ipipOverhead},
	"calico bgp":        {name: "no tunnel"},
	"cilium vxlan":      {name: "VXLAN", overhead: vxlanOverhead},
	"cilium geneve":     {name: "Geneve", overhead: vxlanOverhead},
	"cilium native":     {name: "no tunnel"},
	"kindnet":           {name: "no tunnel"},
}

func encapsulationOf(cni cluster.CNI) (encapsulation, bool) {
	e, ok := encapsulations[strings.TrimSpace(cni.Kind+" "+cni.Backend)]
	return e, ok
}

// routed tells that pods know what fits by their routes, whatever the MTU of
// their interfaces.
func routed(cni cluster.CNI) bool { return cni.Kind == "cilium" }
