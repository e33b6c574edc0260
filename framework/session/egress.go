// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/target"
)

// EgressTargets are those the user named, else every server of the outside, in
// each family that pods have.
func (s *Session) EgressTargets() []string {
	if len(s.Options.EgressTargets) > 0 || s.Cluster.Outside == nil {
		return s.Options.EgressTargets
	}
	var targets []string
	for _, addr := range s.Cluster.Outside.Addrs {
		family := corev1.IPv4Protocol
		if addr.Is6() {
			family = corev1.IPv6Protocol
		}
		if !slices.Contains(s.Cluster.Families, family) {
			continue
		}
		for _, server := range []struct {
			scheme string
			port   int
		}{{target.TCP, job.PortTCP}, {target.UDP, job.PortUDP}, {target.HTTP, 80}, {target.HTTPS, 443}, {target.DNS, 53}} {
			targets = append(targets, target.Target{Scheme: server.scheme, Address: net.JoinHostPort(addr.String(), strconv.Itoa(server.port))}.String())
		}
	}
	return targets
}

// validateEgress refuses targets and proxies that nobody could use.
func validateEgress(o *config.Options) error {
	for _, text := range o.EgressTargets {
		if _, err := target.Parse(text); err != nil {
			return &config.Problem{What: fmt.Sprintf("-egress-target %s names no target", text), Do: "use host:port, or tcp, udp, http, https or dns://host:port", Err: err}
		}
	}
	if o.EgressProxy == "" {
		return nil
	}
	// What does not parse may hold a password, so it is not repeated.
	if u, err := url.Parse(o.EgressProxy); err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return &config.Problem{What: "the value of -egress-proxy is not the URL of a proxy", Do: "use http://host:port"}
	}
	return nil
}
