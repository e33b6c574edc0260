// SPDX-License-Identifier: Apache-2.0

// Package target is what a person names outside the cluster for pods to reach:
// where it is and which protocols it speaks. It contacts nothing.
package target

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Schemes of targets, and the ports of those that have one of their own.
const (
	TCP   = "tcp"   // accepts connections
	UDP   = "udp"   // answers datagrams
	HTTP  = "http"  // answers GET
	HTTPS = "https" // answers GET over TLS
	DNS   = "dns"   // answers queries over UDP and TCP
)

var ports = map[string]string{HTTP: "80", HTTPS: "443", DNS: "53"}

// Target is a place outside the cluster.
type Target struct {
	Scheme string
	// Address is host:port.
	Address string
	// Path begins with a slash or is empty; for HTTP and HTTPS.
	Path string
}

// Parse reads scheme://host:port, or host:port, which is TCP. The port may be
// left out where the scheme has one. The error says what a target looks like.
func Parse(text string) (Target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = TCP, text
	}
	wrong := fmt.Errorf("read the target %q: wanted [%s://]host:port", text, strings.Join([]string{TCP, UDP, HTTP, HTTPS, DNS}, "|"))
	if !slices.Contains([]string{TCP, UDP, HTTP, HTTPS, DNS}, scheme) {
		return Target{}, wrong
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return Target{}, wrong
	}
	if strings.Contains(u.Hostname(), ":") && u.Host[0] != '[' {
		return Target{}, wrong // which colon begins the port?
	}
	port := u.Port()
	if port == "" {
		port = ports[scheme]
	}
	if port == "" || u.Path != "" && scheme != HTTP && scheme != HTTPS {
		return Target{}, wrong
	}
	return Target{Scheme: scheme, Address: net.JoinHostPort(u.Hostname(), port), Path: u.EscapedPath()}, nil
}

// Host is the address without its port.
func (t Target) Host() string {
	host, _, _ := net.SplitHostPort(t.Address)
	return host
}

// IP is the host where that is an address and no name.
func (t Target) IP() (netip.Addr, bool) {
	ip, err := netip.ParseAddr(t.Host())
	return ip, err == nil
}

// String is the target as Parse reads it.
func (t Target) String() string { return t.Scheme + "://" + t.Address + t.Path }
