// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func readService(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		Spec struct {
			ClusterIP, Type string
			Selector        map[string]string
			Ports           []struct {
				Name, Protocol string
				Port           int
				TargetPort     any
			}
		}
	}
	if json.Unmarshal(data, &o) != nil {
		return
	}
	s := Service{Namespace: m.Metadata.Namespace, Name: m.Metadata.Name, ClusterIP: o.Spec.ClusterIP, Type: o.Spec.Type,
		Selector: o.Spec.Selector, HasSelector: true}
	for _, p := range o.Spec.Ports {
		target := fmt.Sprint(p.TargetPort)
		if p.TargetPort == nil {
			target = fmt.Sprint(p.Port)
		}
		s.Ports = append(s.Ports, ServicePort{Name: p.Name, Protocol: p.Protocol, Port: p.Port, Target: target})
	}
	s.Quote = d.quote(s.Name, "selector")
	f.Services = append(f.Services, s)
}

func readEndpoints(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		Subsets []struct {
			Addresses, NotReadyAddresses []struct{ IP string }
		}
	}
	if json.Unmarshal(data, &o) != nil {
		return
	}
	e := Endpoints{Namespace: m.Metadata.Namespace, Service: m.Metadata.Name, Quote: d.quote(m.Metadata.Name)}
	for _, s := range o.Subsets {
		for _, a := range s.Addresses {
			e.Ready = append(e.Ready, a.IP)
		}
		for _, a := range s.NotReadyAddresses {
			e.NotReady = append(e.NotReady, a.IP)
		}
	}
	f.Endpoints = append(f.Endpoints, e)
}

func readSlice(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		Endpoints []struct {
			Addresses  []string
			Conditions struct{ Ready *bool }
		}
	}
	if json.Unmarshal(data, &o) != nil {
		return
	}
	e := Endpoints{Namespace: m.Metadata.Namespace, Service: m.Metadata.Labels["kubernetes.io/service-name"], Quote: d.quote(m.Metadata.Name)}
	for _, endpoint := range o.Endpoints {
		if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {
			e.NotReady = append(e.NotReady, endpoint.Addresses...)
		} else {
			e.Ready = append(e.Ready, endpoint.Addresses...)
		}
	}
	f.Endpoints = append(f.Endpoints, e)
}

func readPolicy(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		APIVersion string
		Spec       struct {
			PodSelector struct{ MatchLabels map[string]string }
			Selector    string // Calico's own kind
			PolicyTypes []string
			Types       []string
			Ingress     []struct{ Action string }
			Egress      []struct{ Action string }
		}
	}
	if json.Unmarshal(data, &o) != nil {
		return
	}
	types := append(o.Spec.PolicyTypes, o.Spec.Types...)
	if len(types) == 0 {
		types = []string{"Ingress"} // the API server's default
		if len(o.Spec.Egress) > 0 {
			types = append(types, "Egress")
		}
	}
	p := Policy{Kind: strings.ToLower(m.Kind), Namespace: m.Metadata.Namespace, Name: m.Metadata.Name,
		Selector: o.Spec.PodSelector.MatchLabels,
		Ingress:  slices.Contains(types, "Ingress"), Egress: slices.Contains(types, "Egress")}
	p.AllowsNothing = p.Ingress && len(o.Spec.Ingress) == 0 || p.Egress && len(o.Spec.Egress) == 0
	for _, rule := range append(o.Spec.Ingress, o.Spec.Egress...) {
		p.AllowsNothing = p.AllowsNothing || rule.Action == "Deny" // Calico's own kind
	}
	p.ForgetsDNS = forgetsDNS(data)
	p.Quote = d.quote(p.Name)
	f.Policies = append(f.Policies, p)
}

func readForeignPolicy(f *Facts, m meta, data []byte, d *document) {
	f.Policies = append(f.Policies, Policy{Kind: strings.ToLower(m.Kind), Namespace: m.Metadata.Namespace, Name: m.Metadata.Name,
		Ingress: true, Egress: true, ForgetsDNS: forgetsDNS(data), Quote: d.quote(m.Metadata.Name)})
}

// forgetsDNS tells whether every egress rule of a policy names ports, and none is
// DNS'. A port that has a name may be.
func forgetsDNS(data []byte) bool {
	type port struct {
		Port    any // a number, or text with Cilium
		EndPort int
	}
	var o struct {
		Spec struct {
			Egress []struct {
				Ports   []port
				ToPorts []struct{ Ports []port }
			}
		}
	}
	if json.Unmarshal(data, &o) != nil || len(o.Spec.Egress) == 0 {
		return false
	}
	for _, rule := range o.Spec.Egress {
		ports := rule.Ports
		for _, to := range rule.ToPorts {
			ports = append(ports, to.Ports...)
		}
		for _, p := range ports {
			first, err := strconv.Atoi(fmt.Sprint(p.Port))
			if err != nil || first <= 53 && 53 <= max(first, p.EndPort) || first == 0 {
				return false
			}
		}
		if len(ports) == 0 {
			return false
		}
	}
	return true
}

func readPool(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		Spec struct {
			CIDR     string
			Disabled bool
		}
	}
	if json.Unmarshal(data, &o) == nil && o.Spec.CIDR != "" {
		f.Pools = append(f.Pools, Pool{Name: m.Metadata.Name, CIDR: o.Spec.CIDR, Disabled: o.Spec.Disabled, Quote: d.quote(m.Metadata.Name, "cidr")})
	}
}

func readBlock(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		Spec struct{ CIDR, Node, State string }
	}
	if json.Unmarshal(data, &o) == nil && o.Spec.Node != "" {
		f.Pools = append(f.Pools, Pool{Name: m.Metadata.Name, CIDR: o.Spec.CIDR, Node: o.Spec.Node, Quote: d.quote(m.Metadata.Name, "cidr")})
	}
}
