// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/evidence"
)

var (
	began = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	three = []string{"blue-control-plane", "blue-worker", "blue-worker2"}
)

// healthy is a run on three nodes where everything is as it should be.
func healthy() Run {
	run := Run{
		ID: "k7f3q", Tool: "v0.1.0", Started: began, Duration: 23400 * time.Millisecond, Complete: true,
		Rerun: "go test ./suites/... -v -count=1 -kubeconfig /home/jane/.kube/config",
		Cluster: Cluster{
			Name: "kind-blue", Server: "v1.36.3", CNI: "flannel v0.28.4 (vxlan)", ProxyMode: "iptables", Families: []string{"IPv4"},
			PodCIDRs: []string{"10.244.0.0/16"}, ServiceCIDRs: []string{"10.96.0.0/16"},
		},
	}
	for i, name := range three {
		node := Node{
			Name: name, Role: "worker", IPs: []string{fmt.Sprintf("172.18.0.%d", i+2)}, PodCIDRs: []string{fmt.Sprintf("10.244.%d.0/24", i)},
			Kubelet: "v1.36.3", Runtime: "containerd 2.3.7", Kernel: "6.18.5",
		}
		if i == 0 {
			node.Role = "control-plane"
		}
		run.Cluster.Nodes = append(run.Cluster.Nodes, node)
	}
	for i, c := range []struct {
		id, title string
		level     check.Level
	}{
		{"cni.config-valid", "the runtime's CNI configuration is there and valid on every node", check.Required},
		{"cni.plugins-present", "every plugin named in the CNI configuration is in the plugin directory", check.Required},
		{"sandbox.starts-on-every-node", "a pod starts on every node", check.Required},
		{"sandbox.address-in-range", "a pod's address is inside its node's range", check.Required},
		{"sandbox.no-address-leak", "twenty pods created and deleted on one node leak no address", check.Required},
		{"pod.same-node", "a pod reaches a pod on the same node by IP", check.Required},
		{"pod.other-node", "a pod reaches a pod on another node by IP", check.Required},
		{"pod.hairpin", "a pod reaches itself through its Service", check.Advisory},
		{"dns.service-name", "a pod resolves a Service by its short name", check.Required},
		{"dns.service-name-ipv6", "a pod resolves an AAAA record of a dual-stack Service", check.Required},
		{"service.cluster-ip", "a pod reaches every endpoint of a Service by its ClusterIP", check.Required},
		{"mtu.path", "a packet of the pod's MTU passes between nodes", check.Required},
		{"egress.https", "a pod reaches an HTTPS server outside the cluster", check.Required},
	} {
		area, _, _ := strings.Cut(c.id, ".")
		res := check.Result{
			ID: c.id, Title: c.title, Area: area, Level: c.level, Outcome: check.Passed, Attempts: 1,
			Started: began.Add(time.Duration(i) * time.Second), Duration: time.Duration(180+97*i) * time.Millisecond,
		}
		if c.id == "dns.service-name-ipv6" {
			res.Outcome, res.Reason = check.NotApplied, "the pod network has no IPv6"
		}
		for _, node := range three {
			res.Nodes = append(res.Nodes, check.NodeResult{Node: node, Outcome: res.Outcome, Reason: res.Reason})
		}
		run.Checks = append(run.Checks, Check{ID: c.id, Title: c.title, Area: area, Level: c.level})
		run.Results = append(run.Results, res)
	}
	of(&run, "sandbox.starts-on-every-node").Measurements = []check.Measurement{
		{Name: "sandbox latency", Node: three[0], Value: 412, Unit: "ms"},
		{Name: "sandbox latency", Node: three[1], Value: 371, Unit: "ms"},
		{Name: "sandbox latency", Node: three[2], Value: 655, Unit: "ms"},
	}
	for i, from := range three {
		for j, to := range three {
			record := func(id, name string, value float64) {
				res := of(&run, id)
				res.Measurements = append(res.Measurements, check.Measurement{Name: name, Node: from, Peer: to, Value: value, Unit: "ms"})
			}
			id := "pod.other-node"
			if i == j {
				id = "pod.same-node"
			}
			record(id, "TCP echo", 0.4+0.3*float64(i)+0.1*float64(j))
			record(id, "UDP echo", 0.3+0.2*float64(i)+0.1*float64(j))
		}
		mtu := of(&run, "mtu.path")
		for name, bytes := range map[string]float64{underlayMTU: 1500, tunnelOverhead: 50, tunnelMTU: 1450, podMTU: 1450} {
			mtu.Measurements = append(mtu.Measurements, check.Measurement{Name: name, Node: from, Value: bytes, Unit: "bytes"})
		}
		mtu.Measurements = append(mtu.Measurements, check.Measurement{Name: "path MTU to pod on other node", Node: from, Peer: three[(i+1)%3], Value: 1450, Unit: "bytes"})
		slices.SortFunc(mtu.Measurements, func(a, b check.Measurement) int { return strings.Compare(a.Name+a.Node, b.Name+b.Node) })
	}
	of(&run, "sandbox.no-address-leak").Measurements = []check.Measurement{{Name: "addresses taken and given back", Node: three[1], Value: 20, Unit: "count"}}
	return run
}

func of(run *Run, id string) *check.Result {
	i := slices.IndexFunc(run.Results, func(res check.Result) bool { return res.ID == id })
	return &run.Results[i]
}

// brokenRun is the same cluster after the CNI configuration of one worker went
// missing, with an advisory failure and two checks that did not run.
func brokenRun() Run {
	run := healthy()
	bad := three[2]
	run.Duration = 96 * time.Second
	run.Selection = "areas cni, sandbox, pod, dns, service, mtu, egress"
	run.Cluster.Nodes[2].NotReady = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"

	fail(&run, "cni.config-valid", 1, check.Failure{
		Node: bad, Wanted: "a network configuration in /etc/cni/net.d", Observed: "the directory does not exist",
	})
	fail(&run, "sandbox.starts-on-every-node", 2, check.Failure{
		Node: bad, Pods: []string{"cniproof-k7f3q/sandbox-7xk2p"},
		Wanted:   "the pod's sandbox ready within 20s",
		Observed: `ContainerCreating; FailedCreatePodSandBox: failed to setup network for sandbox "0c9d<&>": cni plugin not initialized`,
	})
	fail(&run, "pod.hairpin", 9, check.Failure{Node: three[0], Wanted: "an answer from itself", Observed: "tcp: timed out after 2s, 3 of 3 tries"})
	starts := of(&run, "sandbox.starts-on-every-node")
	starts.Measurements = starts.Measurements[:2]
	for _, id := range []string{"pod.same-node", "pod.other-node"} {
		res := of(&run, id)
		res.Measurements = slices.DeleteFunc(res.Measurements, func(m check.Measurement) bool { return m.Node == bad || m.Peer == bad })
	}
	for _, id := range []string{"sandbox.address-in-range", "sandbox.no-address-leak", "pod.same-node", "pod.other-node", "dns.service-name", "service.cluster-ip"} {
		blockOn(&run, id, bad, "sandbox.starts-on-every-node")
	}
	mtu := of(&run, "mtu.path")
	mtu.Outcome, mtu.Reason, mtu.Measurements = check.Unknown, "exec into cniproof-k7f3q/probe-x2v9d: error dialing backend: dial tcp 172.18.0.4:10250: connect: connection refused", nil
	mtu.Nodes = nil
	run.Results = run.Results[:len(run.Results)-1] // egress.https did not run

	missing := diagnosis.Finding{
		Code: "CNI_CONFIG_MISSING", Title: "the runtime has no CNI configuration on blue-worker2", Confidence: 0.97, Nodes: []string{bad},
		Evidence: []diagnosis.Quote{
			{File: "nodes/blue-worker2/containerd.log", Line: 1042, Text: `time="2026-03-14T09:27:02.113Z" level=error msg="failed to load cni during init, please check CRI plugin status before setting up network for pods" error="cni config load failed: no network config found in /etc/cni/net.d: cni plugin not initialized: failed to load cni config"`},
			{File: "nodes/blue-worker2/cni/list.txt", Line: 1, Text: "ls: cannot access '/etc/cni/net.d': No such file or directory"},
		},
		Fix: []string{
			"kubectl -n kube-flannel delete pod -l app=flannel --field-selector spec.nodeName=blue-worker2",
			"kubectl -n kube-flannel logs ds/kube-flannel-ds -c install-cni",
		},
		Refutes: "a file in /etc/cni/net.d on blue-worker2 that the runtime reads (crictl info | jq .cniconfig)",
		Step:    "ls -l /etc/cni/net.d",
	}
	weaker := missing
	weaker.Confidence, weaker.Evidence = 0.9, missing.Evidence[:1]
	restarts := diagnosis.Finding{
		Code: "CNI_DAEMON_CRASHLOOP", Title: "kube-flannel-ds-8vq4t restarts", Confidence: 0.45, Nodes: []string{bad},
		Evidence: []diagnosis.Quote{{File: "cluster/pods #1.txt", Line: 12, Text: "kube-flannel-ds-8vq4t   0/1   CrashLoopBackOff   4 (37s ago)   6m"}},
	}
	run.Bundles = []Bundle{
		{Check: "cni.config-valid", Dir: "evidence/cni.config-valid", Manifest: manifest("cni.config-valid"), Findings: []diagnosis.Finding{weaker}},
		{Check: "sandbox.starts-on-every-node", Dir: "evidence/sandbox.starts-on-every-node", Manifest: manifest("sandbox.starts-on-every-node"), Findings: []diagnosis.Finding{missing, restarts}},
		{
			Check: "pod.hairpin", Dir: "evidence/pod.hairpin", Manifest: manifest("pod.hairpin"),
			RuledOut:    []string{"NODE_FIREWALL_DROP", "RP_FILTER_STRICT", "CONNTRACK_FULL"},
			CollectNext: []string{"bridge -d link show dev vethXXXX", "conntrack -L -d 10.244.0.7"},
		},
	}
	return run
}

func fail(run *Run, id string, attempts int, f check.Failure) {
	res := of(run, id)
	res.Outcome, res.Reason, res.Failures, res.Attempts = check.Failed, f.Error(), []check.Failure{f}, attempts
	res.Duration = time.Duration(attempts) * 11 * time.Second
	for i := range res.Nodes {
		if res.Nodes[i].Node == f.Node {
			res.Nodes[i].Outcome, res.Nodes[i].Reason = check.Failed, "wanted "+f.Wanted+", observed "+f.Observed
		}
	}
}

func blockOn(run *Run, id, node, by string) {
	res := of(run, id)
	res.Outcome, res.Reason, res.BlockedBy = check.Unknown, "blocked by "+by+" on "+node, by
	for i := range res.Nodes {
		if res.Nodes[i].Node == node {
			res.Nodes[i] = check.NodeResult{Node: node, Outcome: check.Unknown, Reason: "blocked by " + by, BlockedBy: by}
		}
	}
}

func manifest(id string) evidence.Manifest {
	return evidence.Manifest{Version: 1, RunID: "k7f3q", Check: id, Started: began, Items: []evidence.Item{
		{Path: "nodes/blue-worker2/kubelet.log", Collector: "kubelet-log", Node: "blue-worker2", Command: "docker exec blue-worker2 journalctl -u kubelet --since '15 min ago'", Status: evidence.Collected, Size: 48211, Redacted: 2, Duration: 210 * time.Millisecond, Started: began},
		{Path: "nodes/blue-worker2/containerd.log", Collector: "runtime-log", Node: "blue-worker2", Command: "docker exec blue-worker2 journalctl -u containerd --since '15 min ago'", Status: evidence.Collected, Size: 2214883, Truncated: true, Reason: "cut to 2 MB, head and tail kept", Duration: 340 * time.Millisecond, Started: began},
		{Path: "cluster/pods #1.txt", Collector: "pod-status", Command: "kubectl describe pod -n cniproof-k7f3q sandbox-7xk2p", Status: evidence.Collected, Size: 3121, Started: began},
		{Collector: "cni-pod-log", Node: "blue-worker2", Pod: "kube-flannel/kube-flannel-ds-8vq4t", Command: "kubectl logs -n kube-flannel kube-flannel-ds-8vq4t --previous", Status: evidence.Unavailable, Reason: `previous terminated container "kube-flannel" not found`, Started: began},
		{Path: "nodes/blue-worker2/dmesg.txt", Collector: "dmesg", Node: "blue-worker2", Command: "docker exec blue-worker2 dmesg -T", Status: evidence.TimedOut, Reason: "5s were over", Size: 812, Started: began},
	}}
}
