// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"
)

// wellNode is the state of a node on which nothing is wrong: flannel with VXLAN,
// kube-proxy with iptables.
func wellNode(n testNode) map[string]string {
	name, subnet, peerSubnet, address := n.name, n.subnet, n.peerSubnet, n.address
	dir := "nodes/" + name + "/"
	return map[string]string{
		dir + "network/ip-route-4.txt": "default via 172.18.0.1 dev eth0\n" +
			peerSubnet + ".0/24 via " + peerSubnet + ".0 dev flannel.1 onlink\n" +
			subnet + ".0/24 dev cni0 proto kernel scope link src " + subnet + ".1\n" +
			"172.18.0.0/16 dev eth0 proto kernel scope link src " + address + "\n",
		dir + "network/ip-addr.txt": "2: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN\n    vxlan id 1 local " + address + " dev eth0 srcport 0 0 dstport 8472 nolearning\n    inet " + subnet + ".0/32 scope global flannel.1\n" +
			"3: cni0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP\n    inet " + subnet + ".1/24 scope global cni0\n" +
			"4: veth1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP\n" +
			"9: eth0@if10: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP\n    inet " + address + "/16 scope global eth0\n",
		dir + "network/iptables-nft.txt": strings.Join([]string{
			"*filter", ":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", ":FLANNEL-FWD - [0:0]", ":KUBE-FIREWALL - [0:0]", ":KUBE-FORWARD - [0:0]", ":KUBE-SERVICES - [0:0]",
			"[13725:12771309] -A INPUT -j KUBE-FIREWALL",
			`[5633:17461244] -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD`,
			`[553:45508] -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES`,
			`[553:45508] -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD`,
			"[14196:10263767] -A OUTPUT -j KUBE-FIREWALL",
			`[553:45508] -A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`,
			`[0:0] -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`,
			"[0:0] -A KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP",
			`[0:0] -A KUBE-SERVICES -d 10.96.42.142/32 -p tcp -m comment --comment "demo/probe:tcp has no endpoints" -m tcp --dport 81 -j REJECT --reject-with icmp-port-unreachable`,
			"COMMIT", "*nat", ":PREROUTING ACCEPT [919:113897]", ":KUBE-SERVICES - [0:0]",
			`[91:5460] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES`,
			`[1:60] -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j ACCEPT`, "COMMIT", ""}, "\n"),
		dir + "network/sysctl.txt":                      "net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.forwarding = 1\nnet.ipv4.conf.all.rp_filter = 1\nnet.netfilter.nf_conntrack_count = 175\nnet.netfilter.nf_conntrack_max = 262144\n",
		dir + "network/nstat.txt":                       "TcpExtIPReversePathFilter       0                  0.0\n",
		dir + "files/etc/cni/net.d/10-flannel.conflist": "{\n  \"name\": \"cbr0\",\n  \"cniVersion\": \"0.3.1\",\n  \"plugins\": [\n    {\"type\": \"flannel\"},\n    {\"type\": \"portmap\"}\n  ]\n}\n",
		dir + "listing/etc/cni/net.d.txt":               "/etc/cni/net.d:\ntotal 4\n-rw-r--r-- 1 root root  292 2026-11-22 16:14:35.026292775 +0000 10-flannel.conflist\n",
		dir + "listing/opt/cni/bin.txt":                 "total 9\n-rwxr-xr-x 1 root root 1 1970-01-01 00:00:00.000000000 +0000 flannel\n-rwxr-xr-x 1 root root 1 1970-01-01 00:00:00.000000000 +0000 portmap\n",
		dir + "cni/versions/flannel.json":               `{"cniVersion":"0.4.0","supportedVersions":["0.3.0","0.3.1","0.4.0"]}` + "\n",
		dir + "runtime/services.txt":                    "● containerd.service - containerd container runtime\n     Active: active (running) since Sun 2026-11-22 16:40:42 UTC\n",
		dir + "kubelet.log":                             "2026-11-22T16:50:58.108361+0000 " + name + " kubelet[274]: I1122 16:50:58.1 274 x.go:1] \"Observed pod startup duration\"\n",
		dir + "containerd.log":                          "2026-11-22T16:50:58.108361+0000 " + name + " containerd[199]: time=\"2026-11-22T16:50:58.108Z\" level=info msg=\"RunPodSandbox for name:\\\"a\\\"\"\n",
	}
}

// testNode names a node and its two ranges, without their last number.
type testNode struct{ name, subnet, peerSubnet, address string }

// well is a bundle of a cluster on which nothing is wrong.
func well() map[string]string {
	files := wellNode(testNode{"w1", "10.244.1", "10.244.2", "172.18.0.2"})
	maps.Copy(files, wellNode(testNode{"w2", "10.244.2", "10.244.1", "172.18.0.3"}))
	files["manifest.json"] = `{"version":1,"started":"2026-11-22T16:51:08Z","subject":{"Since":"2026-11-22T16:50:50Z"},"items":[]}`
	files["cluster/nodes.yaml"] = "apiVersion: v1\nitems:\n" + nodeYAML("w1", "10.244.1.0/24", "172.18.0.2") + nodeYAML("w2", "10.244.2.0/24", "172.18.0.3") + "kind: List\n"
	files["cluster/pods.txt"] = `NAMESPACE      NAME                    READY   STATUS    RESTARTS   AGE   IP           NODE   NOMINATED NODE   READINESS GATES
demo           web-1                   1/1     Running   0          36m   10.244.1.9   w1     <none>           <none>
demo           client                  1/1     Running   0          36m   10.244.2.9   w2     <none>           <none>
kube-flannel   kube-flannel-ds-5xwd5   1/1     Running   0          36m   172.18.0.3   w2     <none>           <none>
kube-flannel   kube-flannel-ds-m7rq8   1/1     Running   0          36m   172.18.0.2   w1     <none>           <none>
kube-system    coredns-c494985b6-nst   1/1     Running   0          36m   10.244.1.2   w1     <none>           <none>
kube-system    kube-proxy-dbgmj        1/1     Running   0          36m   172.18.0.3   w2     <none>           <none>
kube-system    kube-proxy-n5h4h        1/1     Running   0          36m   172.18.0.2   w1     <none>           <none>
`
	files["cluster/kube-system/deployments.yaml"] = "apiVersion: v1\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    name: coredns\n    namespace: kube-system\n  spec:\n    replicas: 1\nkind: List\n"
	files["cluster/default/services.yaml"] = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: kubernetes\n    namespace: default\n  spec:\n    clusterIP: 10.96.0.1\nkind: List\n"
	files["cluster/demo/services.yaml"] = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: web\n    namespace: demo\n  spec:\n    clusterIP: 10.96.9.9\n    selector:\n      app: web\n    ports:\n    - port: 80\n      targetPort: http\nkind: List\n"
	files["cluster/demo/pods.yaml"] = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: web-1\n    namespace: demo\n    labels: {app: web}\n  spec:\n    nodeName: w1\n    containers: [{ports: [{name: http, containerPort: 8080}]}]\n  status: {phase: Running, podIP: 10.244.1.9, containerStatuses: [{ready: true}]}\nkind: List\n"
	return files
}

func nodeYAML(name, cidr, address string) string {
	return "- apiVersion: v1\n  kind: Node\n  metadata:\n    name: " + name + "\n  spec:\n    podCIDRs:\n    - " + cidr + "\n  status:\n    addresses:\n    - address: " + address +
		"\n      type: InternalIP\n    conditions:\n    - status: \"True\"\n      type: Ready\n    nodeInfo:\n      containerRuntimeVersion: containerd://2.3.7\n"
}

func diagnoseFiles(files map[string]string) Report {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Diagnose(Source{FS: tree})
}

// TestCiliumLimitsByRoutes: its tunnel has the underlay's MTU.
func TestCiliumLimitsByRoutes(t *testing.T) {
	files := well()
	for name, text := range files {
		files[name] = strings.ReplaceAll(text, "flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450", "cilium_vxlan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500")
	}
	for _, f := range diagnoseFiles(files).Findings {
		if f.Code == MTUMismatch {
			t.Errorf("%s", f.Title)
		}
	}
}

func TestNothingIsWrongOnAWellCluster(t *testing.T) {
	if r := diagnoseFiles(well()); r.Top() != "" {
		t.Errorf("%v %+v", titles(r), r.Unknown)
	}
}

// TestOneFaultAtATime changes one thing of a well cluster and wants it named,
// on the right node.
func TestOneFaultAtATime(t *testing.T) {
	const w2 = "nodes/w2/"
	replace := func(file, old, new string) func(map[string]string) {
		return func(files map[string]string) {
			if !strings.Contains(files[file], old) {
				t.Fatalf("%s has no %q to replace", file, old)
			}
			files[file] = strings.Replace(files[file], old, new, 1)
		}
	}
	failed := func(area string) func(map[string]string) {
		return func(files map[string]string) {
			files["check.json"] = `{"id":"` + area + `.x","area":"` + area + `","outcome":"failed","reason":"w2: timed out","failures":[{"node":"w2","pods":["demo/web-1"],"wanted":"x","observed":"timed out after 3 s"}]}`
		}
	}
	// lost is a check on w2 that lost a packet.
	lost := func(id, observed string) func(map[string]string) {
		return func(files map[string]string) {
			area, _, _ := strings.Cut(id, ".")
			files["check.json"] = `{"id":"` + id + `","area":"` + area + `","outcome":"failed","reason":"w2: timed out","failures":[{"node":"w2","wanted":"x","observed":"` + observed + `"}]}`
		}
	}
	crashing := replace("cluster/pods.txt", "kube-flannel-ds-5xwd5   1/1     Running", "kube-flannel-ds-5xwd5   0/1     CrashLoopBackOff")
	flannelSays := func(log string) func(map[string]string) {
		return func(files map[string]string) { files["pods/kube-flannel/kube-flannel-ds-5xwd5/kube-flannel.log"] = log }
	}
	filter := w2 + "network/iptables-nft.txt"
	rawRule := func(rule string) func(map[string]string) {
		return replace(filter, "*filter", "*raw\n:PREROUTING ACCEPT [0:0]\n[7:420] "+rule+"\nCOMMIT\n*filter")
	}
	for name, c := range map[string]struct {
		change []func(map[string]string)
		want   Code
		nodes  string
	}{
		"FORWARD rule":     {of(replace(filter, "[5633:17461244] -A FORWARD", "[31:1860] -A FORWARD -m comment --comment site-firewall -j DROP\n[5633:17461244] -A FORWARD")), NodeFirewallDrop, "w2"},
		"FORWARD policy":   {of(replace(filter, ":FORWARD ACCEPT", ":FORWARD DROP"), replace(filter, "-A FLANNEL-FWD -s 10.244.0.0/16", "-A FLANNEL-FWD -s 10.9.0.0/16")), NodeFirewallDrop, "w2"},
		"VXLAN port":       {of(replace(filter, "[13725:12771309] -A INPUT", "[5:5] -A INPUT -p udp -m udp --dport 8472 -j DROP\n[13725:12771309] -A INPUT")), NodeFirewallDrop, "w2"},
		"egress only":      {of(replace(filter, "[5633:17461244] -A FORWARD", "[3:180] -A FORWARD -s 10.244.0.0/16 ! -d 10.0.0.0/8 -j DROP\n[5633:17461244] -A FORWARD"), failed("egress")), EgressBlocked, "w2"},
		"neighbours":       {of(replace(filter, "[5633:17461244] -A FORWARD", "[31:1860] -A FORWARD -i cni0 -o cni0 -j DROP\n[5633:17461244] -A FORWARD"), failed("pod")), NodeFirewallDrop, "w2"},
		"VXLAN of a peer":  {of(replace(filter, "[13725:12771309] -A INPUT", "[5:5] -A INPUT -s 172.18.0.2/32 -p udp -m udp --dport 8472 -j DROP\n[13725:12771309] -A INPUT")), NodeFirewallDrop, "w2"},
		"one pod port":     {of(replace(filter, "[5633:17461244] -A FORWARD", "[3:180] -A FORWARD -p tcp -m tcp --dport 8081 -j DROP\n[5633:17461244] -A FORWARD"), lost("pod.other-node", "tcp 10.244.1.9:8081: timed-out (dial tcp 10.244.1.9:8081: i/o timeout)")), NodeFirewallDrop, "w2"},
		"a ClusterIP":      {of(rawRule("-A PREROUTING -i cni0 -d 10.96.9.9/32 -j DROP"), lost("service.cluster-ip", "tcp 10.96.9.9:80: none of 3 answered: timed-out")), NodeFirewallDrop, "w2"},
		"NodePorts":        {of(rawRule("-A PREROUTING -i eth0 -p tcp -m tcp --dport 30000:32767 -j DROP"), lost("service.nodeport-cluster", "tcp 172.18.0.3:30537: none of 6 answered")), IngressBlocked, "w2"},
		"one outside port": {of(replace(filter, "[5633:17461244] -A FORWARD", "[3:180] -A FORWARD -d 172.18.0.5/32 -i cni0 -p tcp -m tcp --dport 443 -j REJECT --reject-with tcp-reset\n[5633:17461244] -A FORWARD"), lost("egress.https", "https://172.18.0.5:443: refused (dial tcp 172.18.0.5:443: connect: connection refused)")), EgressBlocked, "w2"},
		"ip_forward":       {of(replace(w2+"network/sysctl.txt", "ip_forward = 1", "ip_forward = 0")), IPForwardDisabled, "w2"},
		"no route":         {of(replace(w2+"network/ip-route-4.txt", "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink\n", "")), NodeRouteMissing, "w2"},
		"unreachable":      {of(replace(w2+"network/ip-route-4.txt", "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink", "unreachable 10.244.1.0/24")), NodeRouteMissing, "w2"},
		"conntrack":        {of(replace(w2+"network/sysctl.txt", "nf_conntrack_count = 175", "nf_conntrack_count = 262144")), ConntrackFull, "w2"},
		"rp_filter":        {of(replace(w2+"network/nstat.txt", "Filter       0 ", "Filter       77 "), failed("pod")), RPFilterStrict, "w2"},
		"overlay MTU":      {of(replace(w2+"network/ip-addr.txt", "flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450", "flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500")), MTUMismatch, "w2"},
		"pod MTU":          {of(replace(w2+"network/ip-addr.txt", "veth1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450", "veth1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500")), MTUMismatch, "w2"},
		"underlay MTU":     {of(replace(w2+"network/ip-addr.txt", "eth0@if10: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500", "eth0@if10: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400")), MTUMismatch, "w2"},
		"node address":     {of(replace(w2+"network/ip-addr.txt", "inet 172.18.0.3/16", "inet 172.18.0.77/16")), NodeIPChanged, "w2"},
		"configuration":    {of(replace(w2+"files/etc/cni/net.d/10-flannel.conflist", "{\"type\": \"portmap\"}", "{\"type\": ")), CNIConfigMalformed, "w2"},
		"plugin gone":      {of(replace(w2+"listing/opt/cni/bin.txt", "+0000 portmap", "+0000 other")), CNIBinaryMissing, "w2"},
		"cniVersion":       {of(replace(w2+"files/etc/cni/net.d/10-flannel.conflist", "0.3.1", "1.1.0")), CNIVersionIncompatible, "w2"},
		"runtime":          {of(replace(w2+"runtime/services.txt", "Active: active", "Active: inactive")), RuntimeDown, "w2"},
		"CoreDNS at zero":  {of(replace("cluster/kube-system/deployments.yaml", "replicas: 1", "replicas: 0")), CoreDNSDown, ""},
		"CoreDNS crashing": {of(replace("cluster/pods.txt", "coredns-c494985b6-nst   1/1     Running", "coredns-c494985b6-nst   0/1     CrashLoopBackOff")), CoreDNSDown, ""},
		"kube-proxy":       {of(replace("cluster/pods.txt", "kube-proxy-dbgmj        1/1     Running", "kube-proxy-dbgmj        0/1     Error")), KubeProxyDown, "w2"},
		"flannel":          {of(crashing), CNIDaemonCrashLoop, "w2"},
		"flannel crashing for want of the API server":                            {of(crashing, flannelSays(unheard)), CNIAPIServerUnreachable, ""},
		"flannel crashing, and nothing tells when the API server did not answer": {of(crashing, flannelSays(unheard[strings.Index(unheard, "Failed"):]+heard)), CNIAPIServerUnreachable, ""},
		"flannel crashing, after the API server answered again":                  {of(crashing, flannelSays(unheard+heard)), CNIDaemonCrashLoop, "w2"},
		"one address":      {of(replace("cluster/pods.txt", "10.244.2.9   w2", "10.244.1.9   w2")), SubnetOverlap, ""},
		"ranges":           {of(replace("cluster/nodes.yaml", "10.244.2.0/24", "10.96.0.0/24")), SubnetOverlap, ""},
		"two nodes' range": {of(replace("cluster/nodes.yaml", "10.244.2.0/24", "10.244.1.0/24"), failed("pod")), SubnetOverlap, ""},
		"bridge filter": {of(replace("nodes/w1/network/sysctl.txt", "net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables = 1\nnet.ipv4.ip_forward"),
			replace(w2+"network/sysctl.txt", "net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables = 0\nnet.ipv4.ip_forward"), failed("node")), KernelModuleMissing, "w2"},
		"resolv.conf": {of(func(files map[string]string) {
			files[w2+"kubelet.log"] = "2026-11-22T16:51:05.092297+0000 w2 kubelet[274]: E1122 16:51:05.1 274 kuberuntime_sandbox.go:46] \"Registration of the crio container factory failed: Get \\\"http://%2Fvar%2Frun%2Fcrio%2Fcrio.sock/info\\\": dial unix /var/run/crio/crio.sock: connect: no such file or directory\"\n2026-11-22T16:51:06.092297+0000 w2 kubelet[274]: E1122 16:51:06.1 274 kuberuntime_sandbox.go:46] \"Failed to generate sandbox config for pod\" err=\"open /run/systemd/resolve/resolv.conf: no such file or directory\" pod=\"demo/web-2\"\n"
		}, failed("sandbox")), PodDNSMisconfigured, "w2"},
		"strict filter": {of(func(files map[string]string) {
			failed("node")(files)
			files["check.json"] = strings.Replace(files["check.json"], `"node.x"`, `"node.rp-filter"`, 1)
		}), RPFilterStrict, "w2"},
		"selector": {of(replace("cluster/demo/services.yaml", "app: web", "app: wbe"), failed("service")), ServiceSelectorMismatch, ""},
		"selector, soon after a sandbox that would not go": {of(replace("cluster/demo/services.yaml", "app: web", "app: wbe"), failed("service"), replace(w2+"containerd.log", "2026", cutShort+"2026")), ServiceSelectorMismatch, ""},
		"a sandbox that would not go":                      {of(failed("sandbox"), replace(w2+"containerd.log", "2026", cutShort+"2026")), SandboxStale, "w2"},
		"a sandbox that would not go, and went":            {of(failed("sandbox"), replace(w2+"containerd.log", "2026", cutShort+tornDown+"2026")), UnknownCause, ""},
		"target port":                                      {of(replace("cluster/demo/services.yaml", "targetPort: http", "targetPort: web"), failed("service")), ServicePortMismatch, ""},
		"configuration gone": {of(func(files map[string]string) {
			delete(files, w2+"files/etc/cni/net.d/10-flannel.conflist")
			files[w2+"listing/etc/cni/net.d.txt"] = "/etc/cni/net.d:\ntotal 0\n"
			files[w2+"kubelet.log"] = "2026-11-22T16:51:05.092297+0000 w2 kubelet[274]: E1122 16:51:05.1 274 pod_workers.go:1338] \"Error syncing pod, skipping\" err=\"network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized\"\n"
			replace("cluster/pods.txt", "coredns-c494985b6-nst   1/1     Running", "coredns-c494985b6-nst   0/1     ContainerCreating")(files)
		}, failed("sandbox")), CNIConfigMissing, "w2"},
		"policy": {of(func(files map[string]string) {
			files["cluster/demo/networkpolicies.yaml"] = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: deny\n  namespace: demo\nspec:\n  podSelector: {}\n  policyTypes: [Ingress]\n"
		}, failed("pod")), NetworkPolicyBlocks, ""},
		"no node for a pod, while one of its name had no image": {of(failed("audit"), replace(w2+"containerd.log", "2026", noImage+"2026"),
			replace("cluster/demo/pods.yaml", "nodeName: w1", "hostname: web"), replace("cluster/demo/pods.yaml", "phase: Running, podIP: 10.244.1.9, containerStatuses: [{ready: true}]", "phase: Pending"), replace("cluster/pods.txt", "web-1                   1/1     Running   0          36m   10.244.1.9   w1    ", "web-1                   0/1     Pending   0          6s    <none>       <none>"),
			replace("manifest.json", `"items":[]`, `"items":[{"collector":"pod-status","path":"pods/demo/web-1/describe.txt","pod":"demo/web-1","status":"collected"}]`),
			func(files map[string]string) {
				files["pods/demo/web-1/describe.txt"] = "Name:             web-1\nNamespace:        demo\nNode:             <none>\nStatus:           Pending\nEvents:\n  Type     Reason            Age   From               Message\n  ----     ------            ----  ----               -------\n  Warning  FailedScheduling  6s    default-scheduler  0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.\n"
			}), NotNetworkScheduling, ""},
		"nothing that shows": {of(failed("pod")), UnknownCause, ""},
		"a configuration that was gone for a moment": {of(func(files map[string]string) {
			files[w2+"containerd.log"] = "2026-11-22T16:51:05.092297+0000 w2 containerd[254]: time=\"2026-11-22T16:51:05.09Z\" level=error msg=\"failed to reload cni configuration after receiving fs change event(REMOVE \\\"/etc/cni/net.d/10-flannel.conflist\\\")\" error=\"cni config load failed: no network config found in /etc/cni/net.d: cni plugin not initialized: failed to load cni config\"\n"
			files[w2+"runtime/crictl-info.json"] = "{\n  \"lastCNILoadStatus\": \"OK\"\n}\n"
		}, failed("pod")), UnknownCause, ""},
	} {
		files := well()
		for _, apply := range c.change {
			apply(files)
		}
		r := diagnoseFiles(files)
		if r.Top() != c.want {
			t.Errorf("%s: wanted %s, got %s %v", name, c.want, r.Top(), titles(r))
			continue
		}
		if len(r.Findings) == 0 {
			continue
		}
		top := r.Findings[0]
		if c.nodes != "" && strings.Join(top.Nodes, " ") != c.nodes {
			t.Errorf("%s: on %v, wanted %s", name, top.Nodes, c.nodes)
		}
		if len(top.Evidence) == 0 || len(top.Fix) == 0 || top.Refutes == "" || top.Step == "" {
			t.Errorf("%s: the finding lacks evidence, fix, refutation or step: %+v", name, top)
		}
	}
}

// noImage is what containerd 2.3 says of an image in a registry that answers otherwise.
const noImage = `2026-11-22T16:50:33.969073+0000 w2 containerd[199]: time="2026-11-22T16:50:33.968912583Z" level=error msg="PullImage \"172.19.0.4:80/shop/web:v1\" failed" error="rpc error: code = Unknown desc = failed to pull and unpack image \"172.19.0.4:80/shop/web:v1\": failed to resolve reference \"172.19.0.4:80/shop/web:v1\": http: server gave HTTP response to HTTPS client"` + "\n"

// What flannel 0.28 says when the API server does not answer, and once it does.
const (
	unheard = `2026-11-22T16:50:33.969073000Z E1122 16:50:33.968912       1 main.go:235] Failed to create SubnetManager: error retrieving pod spec for 'kube-flannel/kube-flannel-ds-5xwd5': Get "https://10.96.0.1:443/api/v1/namespaces/kube-flannel/pods/kube-flannel-ds-5xwd5": dial tcp 10.96.0.1:443: i/o timeout` + "\n"
	heard   = `2026-11-22T16:50:40.127335000Z I1122 16:50:40.127311       1 kube.go:163] Node controller sync successful` + "\n"
)

// What containerd 2.3 says of a sandbox whose record flannel's plugin cannot read, and
// once it can.
const (
	cutShort = `2026-11-22T16:50:40.883153+0000 w2 containerd[199]: time="2026-11-22T16:50:40.882978371Z" level=error msg="StopPodSandbox for \"803805a63419596ca2e315cbb4828fc730e0c7ccd7a6cc5c09a39c75ccd46782\" failed" error="rpc error: code = Unknown desc = failed to destroy network for sandbox \"803805a63419596ca2e315cbb4828fc730e0c7ccd7a6cc5c09a39c75ccd46782\": plugin type=\"flannel\" failed (delete): failed to parse netconf: unexpected end of JSON input"` + "\n"
	tornDown = `2026-11-22T16:50:45.835540+0000 w2 containerd[199]: time="2026-11-22T16:50:45.834554688Z" level=info msg="TearDown network for sandbox \"803805a63419596ca2e315cbb4828fc730e0c7ccd7a6cc5c09a39c75ccd46782\" successfully"` + "\n"
)

func of(changes ...func(map[string]string)) []func(map[string]string) { return changes }
