// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// chain is ours alone; docker never flushes it nor the jump to it from DOCKER-USER.
const chain = "CNIPROOF-EGRESS"

// privateRanges must not leave the machine even when the internet may be reached:
// a deleted pod or Service route would send them to the default gateway.
var privateRanges = map[string][]string{
	"iptables":  {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"}, // RFC 1918, RFC 6598
	"ip6tables": {"fc00::/7"},                                                       // RFC 4193
}

// prohibited is the ICMP answer. "Administratively prohibited" is the one that ends
// a connected UDP socket's wait as well as TCP's (icmp_err_convert in
// net/ipv4/icmp.c), without posing as a refusal by the peer. UDP fails at once, TCP
// when it repeats its SYN after a second: the first answer arrives while connect
// still holds the socket, and then does not count (tcp_v4_err).
var prohibited = map[string]string{"iptables": "icmp-admin-prohibited", "ip6tables": "icmp6-adm-prohibited"}

// egressAllowed is the opt-out of the guard for what is not private.
func egressAllowed() bool { return os.Getenv("CNIPROOF_ENGINE_EGRESS") == "allow" }

// guard writes the rules that keep forwarded container traffic on this machine,
// for both address families. It replaces what is there, so it also repairs.
func (m *machine) guard(ctx context.Context) error {
	if err := guardFamily(ctx, "iptables"); err != nil {
		return err
	}
	if _, err := run(ctx, "ip6tables", "-w", "-S", "FORWARD"); err != nil {
		fmt.Fprintf(m.log, "engine: warning: no rules keep IPv6 on this machine: %v\n", err)
		return nil
	}
	return guardFamily(ctx, "ip6tables")
}

func guardFamily(ctx context.Context, iptables string) error {
	family := "-4"
	if iptables == "ip6tables" {
		family = "-6"
	}
	routes, err := run(ctx, "ip", family, "route", "show", "default")
	if err != nil {
		return fmt.Errorf("find the uplinks to guard: %w", err)
	}
	resolvers, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("read the host's resolvers: %w", err)
	}
	g := egress{iptables: iptables, uplinks: defaultDevices(routes)}
	if egressAllowed() {
		g.ranges, g.resolvers = privateRanges[iptables], nameservers(string(resolvers), iptables)
	}
	if _, err := runWithInput(ctx, g.rules(), iptables+"-restore", "-w", "--noflush"); err != nil {
		return fmt.Errorf("write the rules that keep traffic on this machine: %w", err)
	}
	parent := "DOCKER-USER"
	if _, err := run(ctx, iptables, "-w", "-S", parent); err != nil && iptables == "ip6tables" {
		parent = "FORWARD" // docker keeps no rules in this family: ours stay first
	} else if err != nil {
		// Made ahead of docker, so that the rules hold from its first container on.
		if _, err := run(ctx, iptables, "-w", "-N", parent); err != nil {
			return fmt.Errorf("prepare docker's chain for the rules that keep traffic on this machine: %w", err)
		}
	}
	if _, err := run(ctx, iptables, "-w", "-C", parent, "-j", chain); err == nil {
		return nil
	}
	if _, err := run(ctx, iptables, "-w", "-I", parent, "-j", chain); err != nil {
		return fmt.Errorf("enter the rules that keep traffic on this machine: %w", err)
	}
	return nil
}

// egress is the guard of one address family.
type egress struct {
	iptables  string
	uplinks   []string // devices with a default route
	ranges    []string // destinations to reject; none means all
	resolvers []string // destinations that may be asked for names all the same
}

// rules is input for iptables-restore --noflush: it fills the chain in one transaction.
func (g egress) rules() string {
	var b strings.Builder
	add := func(rule ...string) { fmt.Fprintln(&b, "-A", chain, strings.Join(rule, " ")) }
	reject := func(match ...string) {
		match = append(match, "-j REJECT --reject-with", prohibited[g.iptables])
		if len(g.ranges) == 0 {
			add(match...)
		}
		for _, r := range g.ranges {
			add(append([]string{"-d", r}, match...)...)
		}
	}
	fmt.Fprintf(&b, "*filter\n:%s - [0:0]\n", chain)
	for _, r := range g.resolvers {
		add("-d", r, "-p udp --dport 53 -j RETURN")
		add("-d", r, "-p tcp --dport 53 -j RETURN")
	}
	for _, uplink := range g.uplinks {
		reject("-o", uplink)
	}
	// Docker's own bridges are docker0 and br-<network id>. What comes from them
	// stays among them, so an uplink that appears later is covered too.
	add("-o docker0 -j RETURN")
	add("-o br-+ -j RETURN")
	reject("-i docker0")
	reject("-i br-+")
	b.WriteString("COMMIT\n")
	return b.String()
}

// unguard removes the chain and the jumps to it; nothing there is fine.
func unguard(ctx context.Context) error {
	for _, iptables := range []string{"iptables", "ip6tables"} {
		if _, err := run(ctx, iptables, "-w", "-S", chain); err != nil {
			continue
		}
		for _, parent := range []string{"DOCKER-USER", "FORWARD"} {
			if _, err := run(ctx, iptables, "-w", "-C", parent, "-j", chain); err != nil {
				continue
			}
			if _, err := run(ctx, iptables, "-w", "-D", parent, "-j", chain); err != nil {
				return fmt.Errorf("leave the rules that keep traffic on this machine: %w", err)
			}
		}
		for _, action := range []string{"-F", "-X"} {
			if _, err := run(ctx, iptables, "-w", action, chain); err != nil {
				return fmt.Errorf("remove the rules that keep traffic on this machine: %w", err)
			}
		}
	}
	return nil
}

// defaultDevices returns the devices in the output of "ip route show default".
func defaultDevices(routes string) []string {
	fields := strings.Fields(routes)
	var devices []string
	for i, field := range fields {
		if field == "dev" && i+1 < len(fields) && !slices.Contains(devices, fields[i+1]) {
			devices = append(devices, fields[i+1])
		}
	}
	return devices
}

// nameservers returns those of a resolv.conf(5) that are in the address family of iptables.
func nameservers(resolvConf, iptables string) []string {
	var servers []string
	for line := range strings.Lines(resolvConf) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		address, _, _ := strings.Cut(fields[1], "%")
		if strings.Contains(address, ":") == (iptables == "ip6tables") {
			servers = append(servers, address)
		}
	}
	return servers
}
