// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/probe"
)

// none is the configuration of the pod with dnsPolicy None. Its nameserver is an
// address for documentation (RFC 5737), which nothing asks.
var none = corev1.PodDNSConfig{
	Nameservers: []string{"192.0.2.53"}, Searches: []string{"none.cniproof.test"},
	Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: new("2")}},
}

// policies is what pods' resolv.conf are held against.
type policies struct {
	env    *check.Env
	server nameserver
	// domains counts the pods that were told each cluster domain.
	domains  map[string]int
	readings []reading
}

// rule is what is wanted of a pod's configuration, empty when it has that.
type rule func(probe.Pod, conf) string

// reading is a pod's configuration.
type reading struct {
	pod  probe.Pod
	conf conf
	by   rule
}

// judge are the failures of the pods that were read.
func (p *policies) judge() []error {
	var errs []error
	for _, r := range p.readings {
		if wanted := r.by(r.pod, r.conf); wanted != "" {
			errs = append(errs, &check.Failure{
				Node: r.pod.Node, Pods: []string{r.pod.Namespace + "/" + r.pod.Name}, Wanted: wanted, Observed: r.conf.String(),
			})
		}
	}
	return errs
}

// clusterFirst is the rule of ClusterFirst and ClusterFirstWithHostNet (kubelet,
// pkg/kubelet/network/dns).
func (p *policies) clusterFirst(pod probe.Pod, c conf) string {
	domain, ok := c.domain(pod.Namespace)
	switch most := p.domain(); {
	case !ok:
		return fmt.Sprintf("search %[1]s.svc.%[2]s svc.%[2]s %[2]s first", pod.Namespace, most)
	case domain != most:
		return "the cluster domain " + most + ", which most pods have"
	case !slices.Contains(c.options, "ndots:5"):
		return "option ndots:5"
	case len(c.nameservers) == 0, slices.ContainsFunc(c.nameservers, p.stray):
		return fmt.Sprintf("nameserver %v of Service %s", p.server.addrs, p.server.ref)
	}
	return ""
}

// stray tells whether a nameserver is an address for Services, and not that of
// the DNS Service.
func (p *policies) stray(server string) bool {
	addr, err := netip.ParseAddr(server)
	if err != nil {
		return true
	}
	return len(p.server.addrs) > 0 && !slices.Contains(p.server.addrs, addr) &&
		slices.ContainsFunc(p.env.Cluster.ServiceCIDRs, func(r netip.Prefix) bool { return r.Contains(addr) })
}

// inherited is the rule of Default.
func (p *policies) inherited(pod probe.Pod, c conf) string {
	_, ok := c.domain(pod.Namespace)
	ours := slices.ContainsFunc(c.nameservers, func(server string) bool {
		addr, err := netip.ParseAddr(server)
		return err == nil && slices.Contains(p.server.addrs, addr)
	})
	if ok || ours || len(c.nameservers) == 0 {
		return "the node's own configuration, without the cluster's DNS, as dnsPolicy Default says"
	}
	return ""
}

// given is the rule of None.
func (p *policies) given(_ probe.Pod, c conf) string {
	wanted := conf{nameservers: none.Nameservers, search: none.Searches, options: []string{"ndots:2"}}
	if c.String() == wanted.String() {
		return ""
	}
	return wanted.String() + ", as in the dnsConfig"
}

// domain is the one that most pods were told, a placeholder where none was.
func (p *policies) domain() string {
	most := "<cluster domain>"
	for domain, n := range p.domains {
		if n > p.domains[most] || n == p.domains[most] && strings.Compare(domain, most) < 0 {
			most = domain
		}
	}
	return most
}
