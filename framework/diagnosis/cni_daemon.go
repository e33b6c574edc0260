// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// daemonPod matches the names of the pods that make up CNIs.
var daemonPod = regexp.MustCompile(`(?i)(?:^|/|\b)(calico-(?:node|typha|kube-controllers|apiserver)|canal|kube-flannel(?:-ds)?|flannel|cilium(?:-operator|-envoy)?|weave-net|kube-router|antrea-(?:agent|controller)|aws-node|kindnet|ovnkube(?:-node|-master|-control-plane)?|ovs-(?:node|ovn)|kube-multus(?:-ds)?|multus|azure-(?:cni|cns|npm)|kube-ovn-(?:cni|controller|pinger)|ovn-central|terway(?:-eniip)?|romana-agent|contiv-netplugin|sdn|tigera-operator|whereabouts|spiderpool-agent)(?:-[a-z0-9-]+|\b)`)

// What plugins say when their agent on the node does not answer, on ADD and on
// DEL: Weave's HTTP port, Cilium's, openshift-sdn's, OVN's, Antrea's, Multus',
// Azure's and the AWS VPC CNI's sockets, and the files Calico's and flannel's
// daemons leave.
var (
	daemonUnreachable = fact.Say("a CNI plugin cannot reach its agent on the node",
		`127\.0\.0\.1:6784.{0,200}(?:connection refused|i/o timeout|EOF|connection reset|deadline exceeded|no such)`,
		`unable to (?:allocate|release) IP address.{0,40}(?:post|delete) "?http://127\.0\.0\.1`,
		`unable to connect to Cilium (?:agent|daemon)`, `(?:cilium|agent) API client timeout exceeded`,
		`Is the (?:cilium )?agent running\?`, `cilium\.sock.{0,80}(?:no such file|connection refused|i/o timeout|permission denied)`,
		`/var/lib/calico/nodename: no such file or directory`, `check that the calico/node container is running`,
		`open /(?:var/)?run/flannel/subnet\.env: no such file or directory`, `subnet\.env["']?:? (?:file )?(?:no such file|not found|does not exist|is missing)`,
		`failed to load flannel 'subnet\.env' file`, `couldn't (?:read|find|load).{0,40}subnet\.env`,
		`failed to send CNI request`, `cni-server\.sock`, `ovn-cni-server`,
		`(?:dial|dialing:?(?: dial)?) unix /(?:host/)?(?:var/)?run/(?:antrea|openshift-sdn|ovn-kubernetes|multus|openvswitch|eni|kube-ovn|spidernet|cilium|calico|azure|kube-router)[\w./-]*: (?:connect: )?(?:no such file|connection refused|timeout|permission denied)`,
		`127\.0\.0\.1:(?:50051|10090).{0,80}(?:connection refused|deadline exceeded)`,
		`error (?:received from|while|calling).{0,40}(?:AddNetwork|DelNetwork) gRPC call`, `failed to (?:connect to|dial|start up) .{0,20}ipamd`,
		`PollImmediate error waiting for ReadinessIndicatorFile`, `have you checked that your default network is ready\?`,
		`plugin type="?[\w.-]+"? (?:name="[^"]*" )?failed \((?:add|delete)\).{0,300}dial (?:unix|tcp (?:127\.0\.0\.1|\[::1\]|localhost)).{0,160}(?:no such file|connection refused)`,
		`networkPlugin cni failed.{0,300}dial (?:unix|tcp (?:127\.0\.0\.1|\[::1\]|localhost)).{0,160}(?:no such file|connection refused)`,
		`database connection failed \(.{0,40}(?:openvswitch|ovs)`, `openvswitch/db\.sock.{0,60}(?:no such file|connection refused|database connection failed)`,
		`error dialing DHCP daemon`, `timed out waiting for (?:OVS port binding|annotations)`, `failed to get pod annotation`,
		`\[PUT /endpoint/\{id\}\]\[(?:429|5\d\d)\]`,
	)
	daemonNotLive = fact.Say("a CNI agent's own health check fails",
		`calico/node is not ready: (?:felix is not ready|BIRD is not ready: (?:failed to stat|error querying BIRD))`,
		`felix is not (?:live|ready): (?:get|liveness)`, `localhost:9099/(?:liveness|readiness).{0,80}(?:connection refused|timeout)`,
		`(?:failed|couldn't|could not|unable) to (?:connect to|find|discover) .{0,40}typha`,
		`127\.0\.0\.1:(?:9879|9876|9234)/healthz.{0,80}(?:connection refused|deadline exceeded)`,
		`Retrying waiting for IPAM-D`,
	)
)

var _ = Register(Rule{
	Code:       CNIDaemonUnreachable,
	Title:      "the CNI plugin cannot reach its agent on the node",
	Hint:       "The plugin that the runtime executes asks an agent (a DaemonSet's pod) for an address or for state; while the agent is away, pods neither start nor stop.",
	Suppresses: []Code{CoreDNSDown, SandboxStale, ServiceSelectorMismatch, NotNetworkApplication, NodeRouteMissing, NetworkPolicyBlocks},
	Fix: []string{
		"kubectl get pods -A -o wide --field-selector spec.nodeName=<node>   # is the agent there, and why not?",
		"kubectl get ds -A   # desired against ready; a nodeSelector or a taint may keep it away",
		"kubectl -n <its namespace> rollout restart ds/<the CNI's DaemonSet>",
	},
	Refutes: "the agent's pod running and ready on the node, and its socket, port or file being there",
	Looks:   []fact.Sort{fact.PodStatus, fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		found := cite(0.9, current(f, f.Said(daemonUnreachable)))
		if len(found.Evidence) == 0 {
			if away := append(withoutAgent(f), withoutTypha(f)...); len(away) > 0 {
				return away
			}
		}
		if len(found.Evidence) == 0 && f.Whole && daemonsUp(f) {
			return nil
		}
		if len(found.Evidence) == 0 {
			return some(cite(0.5, current(f, f.Said(daemonNotLive))))
		}
		if agent := agentOf(found.Evidence[0].Text); agent != "" {
			found.Title = "the CNI plugin cannot reach " + agent
			if len(found.Nodes) > 0 {
				found.Title += " on " + strings.Join(found.Nodes, ", ")
			}
		}
		for _, w := range f.Workloads {
			if w.Kind == "daemonset" && daemonPod.MatchString(w.Name) && w.Ready < max(w.Desired, len(f.Nodes)) {
				found.quote(w.Quote)
			}
		}
		return []Finding{found}
	},
})

// nodeAgent matches the pods of CNIs of which each node runs one.
var nodeAgent = regexp.MustCompile(`^(calico-node|canal|kube-flannel-ds|cilium|weave-net|kube-router|antrea-agent|aws-node|kindnet|ovnkube-node)-[a-z0-9]{5}$`)

// withoutAgent are nodes on which no pod of the CNI runs, where others have one.
func withoutAgent(f *fact.Facts) []Finding {
	has := map[string]map[string]bool{}
	for _, p := range f.Pods {
		if m := nodeAgent.FindStringSubmatch(p.Name); m != nil && p.Node != "" {
			if has[m[1]] == nil {
				has[m[1]] = map[string]bool{}
			}
			has[m[1]][p.Node] = true
		}
	}
	var found []Finding
	for agent, nodes := range has {
		one := Finding{Confidence: 0.85, direct: true, Step: string(fact.PodStatus)}
		for _, n := range f.Nodes {
			if !nodes[n.Name] {
				one.on(n.Name)
				one.quote(n.Quote)
			}
		}
		one.Title = "no pod of " + agent + " runs on " + strings.Join(one.Nodes, ", ")
		found = append(found, some(one)...)
	}
	return found
}

// withoutTypha is Calico's typha wanted by nobody or not ready: its agents get no
// configuration without it.
func withoutTypha(f *fact.Facts) []Finding {
	for _, w := range f.Workloads {
		if w.Name != "calico-typha" || w.Ready > 0 {
			continue
		}
		one := Finding{Confidence: 0.8, direct: true, Step: string(fact.Objects), Title: fmt.Sprintf("calico-typha is not up: %d replicas wanted, %d ready", w.Desired, w.Ready),
			Fix: []string{"kubectl -n " + either(w.Namespace, "kube-system") + " scale deploy/calico-typha --replicas=1"}}
		one.quote(w.Quote)
		return []Finding{one}
	}
	return nil
}

// agents are by what a plugin's message has.
var agents = []struct{ sign, name string }{
	{"6784", "Weave Net's agent (weaver, 127.0.0.1:6784)"},
	{"cilium", "the Cilium agent (cilium.sock)"},
	{"calico/nodename", "calico-node (it has not written /var/lib/calico/nodename)"},
	{"subnet.env", "flanneld (it has not written /run/flannel/subnet.env)"},
	{"openshift-sdn", "openshift-sdn's CNI server"},
	{"ovn", "ovnkube-node's CNI server"},
	{"antrea", "the Antrea agent"},
	{"50051", "the AWS VPC CNI's ipamd (127.0.0.1:50051)"},
	{"multus", "Multus, or the default network behind it"},
	{"10090", "the Azure CNS agent"},
}

func agentOf(text string) string {
	for _, a := range agents {
		if strings.Contains(strings.ToLower(text), a.sign) {
			return a.name
		}
	}
	return ""
}
