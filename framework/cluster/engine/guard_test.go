// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"testing"
)

func TestRulesRejectAllThatLeaves(t *testing.T) {
	got := egress{iptables: "iptables", uplinks: []string{"eth0"}}.rules()
	want := `*filter
:CNIPROOF-EGRESS - [0:0]
-A CNIPROOF-EGRESS -o eth0 -j REJECT --reject-with icmp-admin-prohibited
-A CNIPROOF-EGRESS -o docker0 -j RETURN
-A CNIPROOF-EGRESS -o br-+ -j RETURN
-A CNIPROOF-EGRESS -i docker0 -j REJECT --reject-with icmp-admin-prohibited
-A CNIPROOF-EGRESS -i br-+ -j REJECT --reject-with icmp-admin-prohibited
COMMIT
`
	if got != want {
		t.Errorf("rules =\n%swant\n%s", got, want)
	}
}

func TestRulesOfTheOptOutRejectPrivateRanges(t *testing.T) {
	got := egress{
		iptables:  "ip6tables",
		uplinks:   []string{"wlan0"},
		ranges:    privateRanges["ip6tables"],
		resolvers: []string{"fd00::53"},
	}.rules()
	want := `*filter
:CNIPROOF-EGRESS - [0:0]
-A CNIPROOF-EGRESS -d fd00::53 -p udp --dport 53 -j RETURN
-A CNIPROOF-EGRESS -d fd00::53 -p tcp --dport 53 -j RETURN
-A CNIPROOF-EGRESS -d fc00::/7 -o wlan0 -j REJECT --reject-with icmp6-adm-prohibited
-A CNIPROOF-EGRESS -o docker0 -j RETURN
-A CNIPROOF-EGRESS -o br-+ -j RETURN
-A CNIPROOF-EGRESS -d fc00::/7 -i docker0 -j REJECT --reject-with icmp6-adm-prohibited
-A CNIPROOF-EGRESS -d fc00::/7 -i br-+ -j REJECT --reject-with icmp6-adm-prohibited
COMMIT
`
	if got != want {
		t.Errorf("rules =\n%swant\n%s", got, want)
	}
}

func TestDefaultDevices(t *testing.T) {
	routes := `default via 192.0.2.1 dev eth0
default via 198.51.100.1 dev wlan0 proto dhcp src 198.51.100.7 metric 600
default via 192.0.2.9 dev eth0 metric 700
default proto static
	nexthop via 203.0.113.1 dev bond0 weight 1
	nexthop via 203.0.113.2 dev bond1 weight 1
`
	if got, want := defaultDevices(routes), []string{"eth0", "wlan0", "bond0", "bond1"}; !slices.Equal(got, want) {
		t.Errorf("devices = %v, want %v", got, want)
	}
	if got := defaultDevices(""); len(got) != 0 {
		t.Errorf("devices of a host without a default route = %v", got)
	}
}

func TestNameservers(t *testing.T) {
	text := "# nameserver 192.0.2.1\nsearch example.test\nnameserver 192.0.2.53\nnameserver\t2001:db8::53\nnameserver fe80::1%eth0\n"
	if got, want := nameservers(text, "iptables"), []string{"192.0.2.53"}; !slices.Equal(got, want) {
		t.Errorf("IPv4 = %v, want %v", got, want)
	}
	if got, want := nameservers(text, "ip6tables"), []string{"2001:db8::53", "fe80::1"}; !slices.Equal(got, want) {
		t.Errorf("IPv6 = %v, want %v", got, want)
	}
}
