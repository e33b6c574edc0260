// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"strings"
	"testing"
	"time"
)

func TestTables(t *testing.T) {
	f := gather(map[string]string{"get.txt": `NAME       STATUS     ROLES           AGE   VERSION   INTERNAL-IP   EXTERNAL-IP   OS-IMAGE   KERNEL-VERSION   CONTAINER-RUNTIME
cp         Ready      control-plane   15m   v1.36.3   172.18.0.7    <none>        Debian     6.18             containerd://2.3.7
w1         NotReady   <none>          11m   v1.36.3   172.18.0.8    <none>        Debian     6.18             containerd://2.3.7

NAMESPACE     NAME                      READY   STATUS             RESTARTS       AGE   IP           NODE
demo          web-58496654b-jxvnp       0/1     CrashLoopBackOff   12 (2m ago)    11m   10.244.1.4   w1
kube-system   kube-proxy-nc52w          1/1     Running            0              11m   172.18.0.8   w1

NAMESPACE     NAME                      READY   UP-TO-DATE   AVAILABLE   AGE
kube-system   deployment.apps/coredns   0/0     0            0           15m

NAMESPACE   NAME                 TYPE        CLUSTER-IP      EXTERNAL-IP   PORT(S)          AGE   SELECTOR
demo        service/web          ClusterIP   10.96.119.143   <none>        80/TCP,53/UDP    3m    app=web,tier=front

NAMESPACE     NAME                                            ADDRESSTYPE   PORTS   ENDPOINTS             AGE
demo          endpointslice.discovery.k8s.io/web-rfbtw        IPv4          8080    10.44.0.1,10.32.0.4   3m
`, "x.txt": "coredns-7ff77c879f-q7dtt             0/1     CrashLoopBackOff   1          18m\n"})
	if len(f.Nodes) != 2 || f.Nodes[1].Ready || f.Nodes[0].Runtime != "containerd://2.3.7" {
		t.Errorf("%+v", f.Nodes)
	}
	web, _ := f.PodNamed("demo/web-58496654b-jxvnp")
	if web.Status != "CrashLoopBackOff" || web.Restarts != 12 || web.Node != "w1" || web.IP != "10.244.1.4" || web.HostNetwork {
		t.Errorf("%+v", web)
	}
	if proxy, _ := f.PodNamed("kube-proxy-nc52w"); !proxy.HostNetwork || !proxy.Up() {
		t.Errorf("%+v", proxy)
	}
	if bare, known := f.PodNamed("coredns-7ff77c879f-q7dtt"); !known || bare.Up() {
		t.Errorf("a row without its header: %+v", bare)
	}
	if len(f.Workloads) != 1 || f.Workloads[0].Kind != "deployment" || f.Workloads[0].Name != "coredns" || f.Workloads[0].Desired != 0 {
		t.Errorf("%+v", f.Workloads)
	}
	if len(f.Services) != 1 || f.Services[0].Selector["tier"] != "front" || len(f.Services[0].Ports) != 2 {
		t.Errorf("%+v", f.Services)
	}
	if len(f.Endpoints) != 1 || f.Endpoints[0].Service != "web" || len(f.Endpoints[0].Ready) != 2 {
		t.Errorf("%+v", f.Endpoints)
	}
}

const objectsYAML = `apiVersion: v1
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: other
    namespace: kube-system
  spec:
    replicas: 3
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    labels:
      k8s-app: kube-dns
    name: coredns
    namespace: kube-system
  spec:
    replicas: 0
  status: {}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata:
    name: default-deny
    namespace: demo
  spec:
    podSelector: {}
    policyTypes: [Ingress, Egress]
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata:
    name: web-1
    namespace: demo
    labels: {kubernetes.io/service-name: web}
  endpoints:
  - addresses: [10.1.0.1]
    conditions: {ready: false}
- apiVersion: v1
  kind: Node
  metadata:
    name: w1
  spec:
    podCIDRs: [10.244.1.0/24]
  status:
    addresses: [{type: InternalIP, address: 172.18.0.8}]
    conditions: [{type: Ready, status: "Unknown"}, {type: NetworkUnavailable, status: "True", reason: NoRouteCreated, message: none}]
kind: List
`

func TestObjects(t *testing.T) {
	f := gather(map[string]string{"cluster/all.yaml": objectsYAML, "pod.json": `{"kind":"Pod","metadata":{"name":"p","namespace":"d"},"spec":{"nodeName":"w1","containers":[{"ports":[{"name":"http","containerPort":8080}]}]},"status":{"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":"ContainerCreating"}}}]}}`})
	if len(f.Workloads) != 2 || f.Workloads[1].Desired != 0 || f.Workloads[1].Quote.Text != "replicas: 0" || f.Workloads[1].Quote.Line != 18 {
		t.Errorf("%+v", f.Workloads)
	}
	if len(f.Policies) != 1 || !f.Policies[0].Egress || !f.Policies[0].AllowsNothing || f.Policies[0].Quote.Text != "name: default-deny" {
		t.Errorf("%+v", f.Policies)
	}
	if len(f.Endpoints) != 1 || f.Endpoints[0].Service != "web" || len(f.Endpoints[0].NotReady) != 1 {
		t.Errorf("%+v", f.Endpoints)
	}
	if n := f.Nodes[0]; n.Ready || !n.Unreachable || n.PodCIDRs[0] != "10.244.1.0/24" || !strings.HasPrefix(n.NoNetwork, "NoRouteCreated") {
		t.Errorf("%+v", n)
	}
	if p := f.Pods[0]; p.Status != "ContainerCreating" || p.Ports[0].Name != "http" {
		t.Errorf("%+v", p)
	}
}

func TestDescribe(t *testing.T) {
	f := gather(map[string]string{"describe.txt": `Name:             web-1
Namespace:        demo
Node:             w1/172.18.0.8
Status:           Pending
IP:
Containers:
  web:
    State:          Waiting
      Reason:       ContainerCreating
    Ready:          False
Events:
  Type     Reason  Age   From     Message
  Warning  Bad     70s   kubelet  the bridge cni0 is gone

Name:               w1
Roles:              <none>
Addresses:
  InternalIP:  172.18.0.8
PodCIDR:                      10.244.1.0/24

Name:              web
Namespace:         demo
Selector:          app=web
Port:              http  80/TCP
TargetPort:        8080/TCP
Endpoints:         <none>
`, "x.log": "time=\"2026-11-22T10:00:00Z\" x\n"})
	said := f.Said(testWording)
	if len(said) != 1 || said[0].Node != "w1" || said[0].Latest().Pod != "demo/web-1" || !said[0].Last.Equal(time.Date(2026, 11, 22, 9, 58, 50, 0, time.UTC)) {
		t.Errorf("%+v", said)
	}
	if p := f.Pods[0]; p.Status != "ContainerCreating" || p.Containers != 1 || p.Ready != 0 {
		t.Errorf("%+v", p)
	}
	if n, _ := f.NodeByName("w1"); len(n.PodCIDRs) != 1 || n.Addresses[0] != "172.18.0.8" {
		t.Errorf("%+v", f.Nodes)
	}
	if len(f.Services) != 1 || f.Services[0].Ports[0].Target != "8080" || len(f.Endpoints) != 1 || len(f.Endpoints[0].Ready) != 0 {
		t.Errorf("%+v %+v", f.Services, f.Endpoints)
	}
}

func TestStamps(t *testing.T) {
	wanted := time.Date(2026, 11, 22, 14, 45, 25, 0, time.UTC)
	for _, line := range []string{
		`time="2026-11-22T14:45:25.289187Z" level=error`,
		`Nov 22 14:45:25 w1 containerd[1]: time="2026-11-22T14:45:25.2Z" level=info`,
		"2026-11-22T14:45:25.289187123Z stderr F x", "2026-11-22T15:45:25,289187+01:00 dmesg", "2026-11-22T14:45:25.2+0000 w1 kubelet[1]: x",
		"2026-11-22 14:45:25.513 [INFO][1] x", "DEBU: 2026/11/22 14:45:25.987113 x", "[Sun Nov 22 14:45:25 2026] x",
		"Nov 22 14:45:25.289 w1 kubelet[1]: x", "E1122 14:45:25.289187    2281 x.go:1] x",
	} {
		if got := inYear(stamp(line), wanted).Truncate(time.Second); !got.Equal(wanted) {
			t.Errorf("%s: %s", line, got)
		}
	}
	for _, line := range []string{"", "no time", "at 14:45 or 15:00:00 perhaps", "10.0.0.1:80:90:1"} {
		if got := stamp(line); !got.IsZero() {
			t.Errorf("%q: %s", line, got)
		}
	}
	if got := inYear(stamp("Dec 31 23:59:59 w1 x"), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)); got.Year() != 2026 {
		t.Errorf("a line of last year is in %d", got.Year())
	}
	for text, wanted := range map[string]time.Duration{"45s": 45 * time.Second, "3m28s": 208 * time.Second, "2d4h": 52 * time.Hour} {
		if got, ok := age(text); !ok || got != wanted {
			t.Errorf("%s: %s", text, got)
		}
	}
}
