// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"regexp"
	"slices"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// cniContext matches texts in which a CNI plugin or daemon speaks.
var cniContext = regexp.MustCompile(`(?i)plugin type=|networkPlugin cni|network\s+for\s+sandbox|network\s+for\s+pod|ClusterInformation|projectcalico|calico/node|startup/startup\.go|connecting to datastore|calico-(?:node|kube-controllers|typha)|cni-plugin/|felix|typha|flanneld|kube-flannel|SubnetManager|main\.go:\s?\d+\]|subsys=|cilium-(?:agent|operator)|cilium\.io|kube-peers|antrea|multus|aws-node|ipamd|ovnkube|kube-router|whereabouts|net-attach-def|k8s\.cni|node-services/|k8s api-?server|\bCNI\b`)

// notCNI matches texts in which somebody else speaks of the API server.
var notCNI = regexp.MustCompile(`(?i)plugin/(?:kubernetes|errors|health|ready)|coredns|kubelet_node_status|pull(?:ing)? image|failed to pull|metrics-server|ingress|reflector\.go.*coredns|probe failed|Failed to update lease|node-lease`)

// apiRetry is how long ago a failed request of the CNI may be: watches and
// token refreshes are retried within a minute.
const apiRetry = 100 * time.Second

// What client-go, calico's libcalico, flanneld, the Cilium agent and Weave's
// kube-peers say when the API server does not answer.
var (
	apiTimeout = fact.Say("the API server does not answer the CNI",
		`(?:get|post|put|patch|list|watch|delete) "?https?://\[?[\w.:-]+\]?(?::\d+)?/(?:api|version|healthz)[^"\s]*"?:? ?(?:.{0,80}?)(?:i/o timeout|connection refused|no route to host|network is unreachable|TLS handshake timeout|context deadline exceeded|connection timed out|EOF|connection reset by peer|client\.timeout exceeded|http2: client connection lost|no such host)`,
		`unable to contact k8s api-?server`, `unable to initialize kubernetes (?:subsystem|client)`,
		`failed to create SubnetManager: error retrieving pod spec`, `unable to (?:connect to|reach|contact) (?:the )?(?:kubernetes )?api ?server`,
		`error (?:retrieving|getting) (?:pod spec|node|ClusterInformation).{0,200}(?:i/o timeout|connection refused|no route to host|deadline exceeded|network is unreachable)`,
		`timeout contacting kube-api`, `failed to (?:list|watch) \*v1\.\w+: .{0,200}(?:i/o timeout|connection refused|no route to host|network is unreachable)`,
		`could not get peers: .{0,200}(?:i/o timeout|connection refused|no route|unreachable|deadline)`,
		`hit error connecting to datastore - retry`, `establishing connection to apiserver.{0,120}(?:err|fail|timeout)`,
		`timed out waiting for node controller sync|error waiting for nodeController to sync`,
	)
	// apiAnswered is what Cilium's agent and operator, flanneld, Calico's node and
	// Weave's kube-peers say when it did.
	apiAnswered = fact.Say("the API server answered the CNI",
		`Got \d+ config pairs from source`, `successfully acquired lease \S*cilium`,
		`Created subnet manager: Kubernetes`, `Node controller sync successful`,
		`Datastore connection verified`, `Added myself to peer list`,
	)
	apiUnauthorized = fact.Say("the API server rejects the CNI's credentials or rights",
		`connection is unauthorized`, `: Unauthorized\b`, `\bUnauthorized\b.{0,20}$`,
		`is forbidden: User "system:(?:serviceaccount:[^"]*|anonymous|node[^"]*)" cannot (?P<verb>\w+)`,
		`is forbidden: User "[^"]*(?:calico|flannel|cilium|weave|canal|multus|antrea|aws-node|kindnet)[^"]*" cannot`,
		`the server has asked for the client to provide credentials`, `must be logged in to the server`,
		`service account token has (?:expired|been invalidated)|token (?:is|has) expired|invalid bearer token`,
	)
	certInvalid = fact.Say("a certificate is not accepted",
		`x509: (?P<why>[^"\n]*)`, `certificate signed by unknown authority`, `certificate has expired`,
		`tls: (?:failed to verify certificate|bad certificate|unknown certificate authority)`,
		`unable to (?:load|read) (?:root )?certificates?.{0,100}`,
	)
	// daemonUser matches service accounts of CNIs.
	daemonUser = regexp.MustCompile(`(?i)serviceaccount:[^"]*(?:calico|flannel|cilium|weave|canal|multus|antrea|aws-node|kindnet|whereabouts|ovn|kube-router|tigera|typha)`)
)

var _ = Register(Rule{
	Code:       CNIAPIServerUnreachable,
	Title:      "the CNI cannot reach the API server",
	Hint:       "Plugins and agents use the kubernetes Service's address, which needs kube-proxy (or what replaces it) on the same node; the kubelet does not.",
	Suppresses: []Code{CNIDaemonUnreachable, CNIDaemonCrashLoop, CNIConfigMissing, SandboxStale, CoreDNSDown, EgressBlocked, KubeProxyMisconfigured, ServiceSelectorMismatch, NotNetworkApplication},
	Fix: []string{
		"curl -k --max-time 5 https://<kubernetes Service's address>:443/healthz   # on <node>",
		"kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide   # is kube-proxy up on <node>?",
		"iptables-save | grep -e KUBE-SVC -e 'DROP' | grep -e kubernetes -e 443   # on <node>: Service rules there, nothing dropped?",
	},
	Refutes: "the Service address of the API server answering from the node's host network",
	Looks:   []fact.Sort{fact.RuntimeLog, fact.CNIPodLog},
	Match: func(f *fact.Facts) []Finding {
		said := where(matching(lately(f, apiRetry, f.Said(apiTimeout)), cniContext), func(s fact.Statement) bool {
			return (sandboxFailure.MatchString(s.Text) || !notCNI.MatchString(s.Text)) && !answeredSince(f, s)
		})
		found := cite(0.88, without(said, proxyText))
		// An agent that waits for its answer says nothing for a minute.
		silent := len(found.Evidence) == 0
		for _, d := range apiDrops(f) {
			if silent && (!d.hit || f.Check == nil || f.Check.Area != "cni" && f.Check.ID != "service.kubernetes-service") {
				continue
			}
			found.quote(d.quote)
			found.on(d.node)
			found.Confidence = 0.95
			found.Title = "a packet filter rule on " + d.node + " keeps the CNI from the API server's Service address"
			found.Fix = []string{d.undo + "   # on " + d.node}
		}
		return some(found)
	},
})

// answeredSince tells whether the API server answered the CNI on the node of the
// statement after it. All of a short excerpt holds, and what has no time, as in lately.
func answeredSince(f *fact.Facts, s fact.Statement) bool {
	return (f.Whole || f.Long) && !s.Time.IsZero() && slices.ContainsFunc(f.Said(apiAnswered), func(answered fact.Saying) bool {
		return answered.Node == s.Node && answered.Last.After(s.Time)
	})
}

var _ = Register(Rule{
	Code:       CNIUnauthorized,
	Title:      "the API server rejects the CNI's token or rights",
	Hint:       "The plugin uses a kubeconfig that the CNI's pod wrote (its token ages), the agent its ServiceAccount and the roles bound to it.",
	Suppresses: []Code{CNIDaemonCrashLoop, CNIDaemonUnreachable, SandboxStale, CoreDNSDown, NotNetworkApplication, CNIConfigMissing},
	Fix: []string{
		"kubectl -n <its namespace> delete pod <the CNI's pod on <node>>   # writes a kubeconfig with a new token",
		"kubectl auth can-i --list --as=system:serviceaccount:kube-system:<the CNI's ServiceAccount>",
		"kubectl apply -f <the CNI's manifest>   # restores its ClusterRole and ClusterRoleBinding",
	},
	Refutes: "the same request succeeding with the plugin's own kubeconfig (kubectl --kubeconfig /etc/cni/net.d/<file>)",
	Looks:   []fact.Sort{fact.RuntimeLog, fact.CNIPodLog},
	Match: func(f *fact.Facts) []Finding {
		said := where(current(f, f.Said(apiUnauthorized)), func(s fact.Statement) bool {
			if registryText.MatchString(s.Text) || notCNI.MatchString(s.Text) {
				return false
			}
			return daemonUser.MatchString(s.Text) || sandboxFailure.MatchString(s.Text) && cniContext.MatchString(s.Text) ||
				cniContext.MatchString(s.Text) && !kubeletOwn.MatchString(s.Text)
		})
		return some(cite(0.93, said))
	},
})

var _ = Register(Rule{
	Code:       CNICertInvalid,
	Title:      "the CNI does not accept the API server's certificate, or the API server the CNI's",
	Hint:       "The CNI's kubeconfig carries the cluster's CA as of when it was written; a renewed CA, an expired certificate or a wrong clock breaks it.",
	Suppresses: []Code{CNIAPIServerUnreachable, CNIDaemonCrashLoop, CNIDaemonUnreachable, SandboxStale, CoreDNSDown, NotNetworkApplication, CNIConfigMissing},
	Fix: []string{
		"openssl s_client -connect <API server> </dev/null 2>/dev/null | openssl x509 -noout -dates -issuer -ext subjectAltName   # on <node>",
		"kubectl -n <its namespace> delete pod <the CNI's pod on <node>>   # writes its kubeconfig with the cluster's CA again",
		"timedatectl   # on <node>: is the clock right?",
	},
	Refutes: "openssl verifying the API server's certificate with the CA in the CNI's kubeconfig",
	Looks:   []fact.Sort{fact.RuntimeLog, fact.CNIPodLog},
	Match: func(f *fact.Facts) []Finding {
		said := without(matching(current(f, f.Said(certInvalid)), cniContext), registryText)
		return some(cite(0.92, without(said, kubeletOwn)))
	},
})

var (
	// registryText matches failures of pulling images.
	registryText = regexp.MustCompile(`(?i)pull(?:ing)? (?:and unpack )?image|failed to (?:pull|resolve reference|fetch oauth)|ErrImagePull|ImagePullBackOff|/v2/|registry`)
	// proxyText matches requests that went to an HTTP proxy.
	proxyText = regexp.MustCompile(`(?i)proxyconnect|proxy(?:_url| authentication|error)|squid`)
	// kubeletOwn matches the kubelet's own requests, which are no CNI's.
	kubeletOwn = regexp.MustCompile(`(?i)unable to register node|no relationship found between node|error getting node|update node status|status_manager\.go|system:node:|kubelet_node_status|csr`)
)
