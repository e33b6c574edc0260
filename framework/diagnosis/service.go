// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

var noEndpoints = fact.Say("a Service has no endpoints",
	`Service "?(?P<service>[\w./-]+)"? does not have any active Endpoint`, `(?:no|without) (?:active |ready |available )?endpoints? (?:available |found )?for (?:service|port) "?(?P<service>[\w./:-]+)`,
	`no endpoints available for service`, `endpoints?: +<none>`, `service .{0,60}has no (?:ready |active )?endpoints`,
	`has no endpoints.{0,80}REJECT`, `(?:couldn't|could not|unable to) (?:find|get) (?:any )?(?:active )?endpoints?`, `no (?:matching|ready) pods? (?:found )?for (?:the )?(?:service|selector)`,
	`(?:service )?selector .{0,120}(?:does not|doesn't|do not|not) match`, `\S+ +<none> +\d+[smhd]\S*\s*$`, `ENDPOINTS\s+AGE\s+\S+ +<none>`,
)

var _ = Register(Rule{
	Code:       ServiceSelectorMismatch,
	Title:      "a Service's selector matches no ready pod",
	Hint:       "EndpointSlices are made of the ready pods whose labels the selector matches, all of them, in the Service's own namespace.",
	Suppresses: []Code{NotNetworkApplication, KubeProxyMisconfigured, IngressBlocked},
	Fix: []string{
		"kubectl get svc <service> -n <namespace> -o jsonpath='{.spec.selector}'; kubectl get pods -n <namespace> --show-labels",
		"kubectl get endpointslices -n <namespace> -l kubernetes.io/service-name=<service>   # empty until they match",
	},
	Refutes: "addresses in the Service's EndpointSlices",
	Looks:   []fact.Sort{fact.Objects},
	Match: func(f *fact.Facts) []Finding {
		found := unselecting(f)
		if len(found) == 0 && !f.Whole {
			said := without(f.Said(noEndpoints), ownPods)
			one := cite(0.8, said)
			if service := arg(said, "service"); service != "" {
				one.Title = "Service " + service + " has no endpoints: its selector matches no ready pod"
			}
			found = some(one)
		}
		return found
	},
})

// unselecting are Services whose selector matches the labels of no pod of
// their namespace.
func unselecting(f *fact.Facts) []Finding {
	var found []Finding
	for _, s := range f.Services {
		if len(s.Selector) == 0 || !hasPods(f, s.Namespace) || len(matchingPods(f, s)) > 0 || readyAddresses(f, s) > 0 || asShipped(f, s) {
			continue
		}
		one := Finding{Confidence: max(scoped(f, "service", 0.9, 0.5), ofDNS(f, s, 0.9)), direct: true, Step: string(fact.Objects),
			Title: fmt.Sprintf("the selector of Service %s/%s matches no pod", s.Namespace, s.Name)}
		if f.Check == nil && f.Whole {
			one.Confidence = 0.55 // many clusters keep such Services for later
		}
		one.quote(s.Quote)
		found = append(found, one)
	}
	return found
}

// asShipped tells whether the Service came with the cluster, some of which never
// have endpoints. That of DNS must, when a check of DNS failed.
func asShipped(f *fact.Facts, s fact.Service) bool {
	return strings.HasPrefix(s.Namespace, "kube-") && ofDNS(f, s, 1) == 0
}

// ofDNS is the confidence where a check of DNS failed and the Service is the
// cluster's DNS, else 0.
func ofDNS(f *fact.Facts, s fact.Service, confidence float64) float64 {
	if f.Check != nil && f.Check.Area == "dns" && s.Namespace == "kube-system" && (s.Name == "kube-dns" || strings.HasSuffix(s.Name, "coredns")) {
		return confidence
	}
	return 0
}

func hasPods(f *fact.Facts, namespace string) bool {
	for _, p := range f.Pods {
		if p.Namespace == namespace && len(p.Labels) > 0 {
			return true
		}
	}
	return false
}

func matchingPods(f *fact.Facts, s fact.Service) []fact.Pod {
	var all []fact.Pod
	for _, p := range f.Pods {
		if p.Namespace == s.Namespace && len(p.Labels) > 0 && selects(s.Selector, p.Labels) {
			all = append(all, p)
		}
	}
	return all
}

func readyAddresses(f *fact.Facts, s fact.Service) int {
	n := 0
	for _, e := range f.Endpoints {
		if e.Namespace == s.Namespace && e.Service == s.Name {
			n += len(e.Ready)
		}
	}
	return n
}

var (
	portMismatch = fact.Say("a Service's port leads to no listening port",
		`target ?port.{0,120}(?:not match|doesn't match|mismatch|wrong|incorrect|does not (?:match|exist|correspond)|invalid|no such)`,
		`(?:service|port) .{0,80}(?:does not|doesn't) have (?:a )?port`, `(?:unable|failed|could not) to find .{0,30}port .{0,60}(?:in|for|of) (?:pod|service|container)`,
		`no (?:service )?port .{0,40}(?:found|named)`, `port mismatch`, `named port .{0,60}not found`,
		`service "?\S+"? (?:does not have|has no) (?:a )?(?:service )?port`, `FailedToResolveTargetPort|couldn't find (?:named )?port`,
	)
	refused = regexp.MustCompile(`(?i)refused`)
)

var _ = Register(Rule{
	Code:       ServicePortMismatch,
	Title:      "a Service's target port is not one its pods listen on",
	Hint:       "targetPort is the container's port (by number or by the name the container gives it); port is the Service's own.",
	Suppresses: []Code{NotNetworkApplication, IngressBlocked},
	Fix: []string{
		"kubectl get svc <service> -n <namespace> -o jsonpath='{.spec.ports}'; kubectl exec <pod> -n <namespace> -- ss -lntu",
		"kubectl patch svc <service> -n <namespace> --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/targetPort\",\"value\":<port>}]'",
	},
	Refutes: "the pod answering on the target port by its own address",
	Looks:   []fact.Sort{fact.Objects},
	Match: func(f *fact.Facts) []Finding {
		found := wrongPorts(f)
		if !f.Whole {
			found = append(found, some(cite(0.8, f.Said(portMismatch)))...)
		}
		return found
	},
})

// wrongPorts are Services whose target is a name no selected pod gives a port,
// or a number none of them declares while they declare others.
func wrongPorts(f *fact.Facts) []Finding {
	var found []Finding
	for _, s := range f.Services {
		pods := matchingPods(f, s)
		if len(s.Selector) == 0 || len(pods) == 0 || asShipped(f, s) {
			continue
		}
		for _, port := range s.Ports {
			if port.Target == "" || declares(pods, port.Target) {
				continue
			}
			confidence := max(scoped(f, "service", 0.8, 0.4), ofDNS(f, s, 0.8))
			if _, err := strconv.Atoi(port.Target); err != nil {
				confidence = scoped(f, "service", 0.92, 0.6)
			} else if !checkRefused(f) {
				confidence = min(confidence, 0.45) // containers may listen on what they do not declare
			}
			one := Finding{Confidence: confidence, Step: string(fact.Objects),
				Title: fmt.Sprintf("port %d of Service %s/%s leads to %s, which no pod it selects declares", port.Port, s.Namespace, s.Name, port.Target)}
			one.quote(s.Quote)
			one.quote(pods[0].Quote)
			found = append(found, one)
		}
	}
	return found
}

func checkRefused(f *fact.Facts) bool {
	if f.Check == nil {
		return false
	}
	for _, failure := range f.Check.Failures {
		if refused.MatchString(failure.Observed) {
			return true
		}
	}
	return false
}

func declares(pods []fact.Pod, target string) bool {
	any := false
	for _, p := range pods {
		for _, port := range p.Ports {
			any = true
			if port.Name == target || strconv.Itoa(port.Number) == target {
				return true
			}
		}
	}
	return !any
}
