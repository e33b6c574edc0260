// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"regexp"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// noAnswer is how a connection to the world fails when packets get lost or are
// refused on the way.
const noAnswer = `(?:i/o timeout|connection refused|no route to host|network is unreachable|connection timed out|TLS handshake timeout|connection reset by peer|Client\.Timeout exceeded|request canceled while waiting for connection|context deadline exceeded|operation timed out)`

var (
	pullUnreachable = fact.Say("the node cannot reach an image registry",
		`(?:pull|resolve reference|get sandbox image|fetch|manifests?|/v[12]/).{0,400}`+noAnswer,
		`(?:get|head|post) "?https?://[^"\s]*(?:registry|docker\.io|gcr\.io|quay\.io|k8s\.io|ecr\.|azurecr|ghcr\.io|/v[12]/)[^"\s]*"?:.{0,200}`+noAnswer,
	)
	outsideUnreachable = fact.Say("a pod cannot reach an address outside the cluster",
		`(?:dial tcp|connect to|connecting to|failed to connect to) .{0,60}:(?:443|80)\b.{0,60}`+noAnswer,
		`curl: \((?:7|28)\) .{0,160}(?:timed out|timeout|couldn't connect|connection refused|no route)`,
		`wget: (?:download timed out|can't connect to remote host)`, `(?:internet|external|outbound|egress).{0,80}(?:unreachable|blocked|time(?:d )?out|den(?:y|ied)|fail|no access|not reachable)`,
		`NAT ?gateway.{0,60}(?:missing|not|fail|exhaust)`, `SNAT port exhaustion|SNAT.{0,30}exhaust`,
	)
	ingressFails = fact.Say("requests from outside do not get in",
		`(?:upstream timed out|no live upstreams|connect\(\) failed).{0,200}while connecting to upstream`,
		`(?:ingress|load ?balancer|nodeport|external ip).{0,120}(?:unreachable|time(?:d)? ?out|connection refused|not reachable|no route|pending|blocked|refused to connect)`,
		`EXTERNAL-IP\s.{0,300}<pending>`, `LoadBalancer +\S+ +<pending>`, `SyncLoadBalancerFailed|CreatingLoadBalancerFailed|error (?:creating|ensuring|syncing) load balancer`,
		`(?:health check|target).{0,60}unhealthy.{0,60}(?:node ?port|target group|load balancer)`, `503 Service Temporarily Unavailable|502 Bad Gateway|504 Gateway Time-?out`,
	)
	proxyFails = fact.Say("an HTTP proxy is wrong or in the way",
		`proxyconnect tcp`, `proxy(?:[ _-](?:server|url|error|connect|connection|authentication))[^-_].{0,100}(?:refused|required|fail|error|timeout|denied|invalid|unreachable|407|no such host)`,
		`407 Proxy Authentication Required`, `Proxy Authentication Required`, `(?:http|https)_proxy.{0,160}(?:wrong|not|mis|fail|refused|unset|missing|invalid)`,
		`no_proxy.{0,120}(?:missing|not|must|should|add|lacks|without|incl)`, `received HTTP code (?:40[37]|50\d) from proxy`, `Squid|X-Squid-Error|ERR_ACCESS_DENIED`, `unable to connect to proxy|failed to connect to proxy|proxy refused`,
		`malformed HTTP response.{0,60}proxy|error parsing proxy`, `http: server gave HTTP response to HTTPS client.{0,60}proxy`, `Forbidden.{0,30}proxy|(?:^|[^-])proxy[^"].{0,60}Forbidden`,
		`You are using the http proxy|\[WARNING HTTPProxy(?:CIDR)?\]`,
	)
	// What Go's net/http says of a proxy that answers CONNECT with anything but
	// 200: the reason phrase of its status and nothing more, in which an API
	// server's own refusal differs.
	proxyRefuses = fact.Say("an HTTP proxy refuses a request for the API server",
		`"https://[^"\s]+/(?:api|apis|version|healthz)\b[^"\s]*": (?:Forbidden|Bad Gateway|Gateway Time-?out|Service Unavailable|Proxy Authentication Required)[\s"\\]*$`,
	)
	// resolution matches failures to resolve the name, which are DNS'.
	resolution = regexp.MustCompile(`(?i)dial tcp: lookup|lookup \S+(?: on \S+)?:|no such host|server misbehaving|name resolution`)
)

var _ = Register(Rule{
	Code:       EgressBlocked,
	Title:      "nodes or pods cannot reach the outside",
	Hint:       "A firewall, a missing route or NAT, or missing masquerading for pod addresses stands between the cluster and the address.",
	Suppresses: []Code{NotNetworkImagePull, NotNetworkApplication},
	Fix: []string{
		"curl -v --max-time 5 https://<the host>   # on <node>, and from a pod: does only one of them fail?",
		"iptables -t nat -S POSTROUTING | grep -i masq; ip route get 192.0.2.1   # on <node>: masquerading of the pods' range, a default route",
	},
	Refutes: "the same address answering from the node (then it is the pods' masquerading or a policy) or from elsewhere in its network",
	Looks:   []fact.Sort{fact.RuntimeLog, fact.PodStatus},
	Match: func(f *fact.Facts) []Finding {
		var found []Finding
		for _, d := range drops(f) {
			if d.purpose == toOutside {
				one := dropped([]drop{d})
				one.direct = false // a rule against all forwarding is the node's firewall's
				one.Confidence = scoped(f, "egress", one.Confidence, 0.5)
				found = append(found, one)
			}
		}
		found = append(found, checkSays(f, "egress", 0.5)...)
		said := without(without(without(current(f, f.Said(pullUnreachable)), resolution), proxyText), inside)
		found = append(found, some(cite(scopedTree(f, 0.85, 0.6), said))...)
		if !f.Whole {
			other := without(without(without(f.Said(outsideUnreachable), resolution), proxyText), cniContext)
			found = append(found, some(cite(0.5, without(other, inside)))...)
		}
		return found
	},
})

// inside matches texts about addresses that are the cluster's own.
var inside = regexp.MustCompile(`(?i)\.svc\b|cluster\.local|10\.96\.|10\.43\.|10\.152\.183\.|172\.20\.0\.1\b|/api/v1|/apis/|probe failed|(?:tcp|to) \[?(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|127\.|localhost)`)

var _ = Register(Rule{
	Code:       IngressBlocked,
	Title:      "requests from outside do not reach the cluster",
	Hint:       "A load balancer without nodes that answer, a NodePort a firewall hides, or an ingress controller that does not reach its backends.",
	Suppresses: []Code{NotNetworkApplication},
	Fix: []string{
		"kubectl get svc -A | grep -e LoadBalancer -e NodePort; curl -v --max-time 5 http://<node>:<NodePort>   # from outside, then on <node> itself",
		"kubectl -n ingress-nginx logs deploy/ingress-nginx-controller --tail=50",
	},
	Refutes: "the NodePort answering from outside the cluster",
	Match: func(f *fact.Facts) []Finding {
		var found []Finding
		for _, d := range drops(f) {
			if d.purpose == toNodePort {
				found = append(found, dropped([]drop{d}))
			}
		}
		if f.Whole {
			return found
		}
		return append(found, some(cite(0.6, f.Said(ingressFails)))...)
	},
})

var _ = Register(Rule{
	Code:       ProxyMisconfigured,
	Title:      "an HTTP proxy setting is wrong or lacks the cluster's ranges in no_proxy",
	Hint:       "Runtime, kubelet and CNI inherit http_proxy from their units; without the Service and pod ranges in no_proxy, requests for the API server go to the proxy.",
	Suppresses: []Code{EgressBlocked, NotNetworkImagePull, CNIAPIServerUnreachable, NotNetworkApplication, DNSUpstreamFailure},
	Fix: []string{
		"systemctl show -p Environment containerd docker kubelet; env | grep -i proxy   # on <node>",
		"add to NO_PROXY: localhost,127.0.0.1,<node range>,<pod range>,<Service range>,.svc,.cluster.local   # then systemctl daemon-reload and restart",
	},
	Refutes: "the request succeeding with the same proxy settings, or none being set",
	Looks:   []fact.Sort{fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		said := current(f, f.Said(proxyRefuses))
		if len(said) > 0 {
			found := cite(0.93, said)
			found.Title = "an HTTP proxy is asked for the API server and refuses: NO_PROXY lacks the cluster's ranges"
			return some(found)
		}
		found := cite(scopedTree(f, 0.92, 0.7), where(current(f, f.Said(proxyFails)), func(s fact.Statement) bool {
			// The runtime has its proxy from its start on.
			return !f.Whole || s.Sort != fact.RuntimeLog && s.Sort != fact.KubeletLog || !since(f, s, runtimeBack)
		}))
		if address := proxyAddress.FindStringSubmatch(firstText(found)); address != nil {
			found.Title = fmt.Sprintf("the HTTP proxy %s does not answer", address[1])
		}
		return some(found)
	},
})

var proxyAddress = regexp.MustCompile(`proxyconnect tcp: dial tcp ([\d.]+:\d+)`)

func firstText(f Finding) string {
	if len(f.Evidence) == 0 {
		return ""
	}
	return f.Evidence[0].Text
}
