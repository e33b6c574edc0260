// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/target"
)

// outsideProxy is the port of the proxy of fixtures/outside.
const outsideProxy = "3128"

// settings are HTTP_PROXY, HTTPS_PROXY and NO_PROXY as programs in pods have
// them.
type settings struct {
	// proxy is a URL, no a list; both may be empty.
	proxy, no string
}

// chosen are the settings that the user named, else those for the proxy of the
// outside with the cluster's own ranges exempt; empty where there is no proxy.
func chosen(env *check.Env) settings {
	outside := env.Cluster.Outside
	if env.EgressProxy != "" || outside == nil {
		return settings{proxy: env.EgressProxy, no: env.EgressNoProxy}
	}
	for _, addr := range outside.Addrs {
		ranges := slices.Concat(env.Cluster.PodCIDRs, env.Cluster.ServiceCIDRs)
		if !slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Addr().Is4() == addr.Is4() }) {
			continue
		}
		no := []string{"localhost", ".svc"}
		for _, r := range ranges {
			no = append(no, r.String())
		}
		return settings{proxy: "http://" + net.JoinHostPort(addr.String(), outsideProxy), no: strings.Join(no, ",")}
	}
	return settings{}
}

// exempt tells whether a program would reach the URL without the proxy, by the
// rules of NO_PROXY that Go, curl and Python have in common.
func (s settings) exempt(address string) bool {
	u, err := url.Parse(address)
	if err != nil || s.proxy == "" {
		return true
	}
	through, err := (&httpproxy.Config{HTTPProxy: s.proxy, HTTPSProxy: s.proxy, NoProxy: s.no}).ProxyFunc()(u)
	return err == nil && through == nil
}

// page is the job to ask for a page of the target, through the proxy unless the
// target is exempt.
func (s settings) page(to target.Target) job.Job {
	j := job.Job{ID: to.String(), Kind: job.HTTP, Address: to.String(), InsecureTLS: true}
	if !s.exempt(to.String()) {
		j.Proxy = s.proxy
	}
	return j
}

// address is the proxy's host:port.
func (s settings) address() string {
	u, err := url.Parse(s.proxy)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
