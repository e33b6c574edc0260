// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/cniproof/cniproof/framework/cluster"
)

// auditChecks are all checks of the area.
var auditChecks = []string{
	"audit.service-selector", "audit.service-ready", "audit.service-target-port", "audit.pods-stuck", "audit.pod-dns",
	"audit.policy-dns", "audit.host-port", "audit.dns-loop", "audit.proxy",
}

// apply adds the objects of a stream of YAML documents.
func (w *world) apply(text string) {
	for _, part := range strings.Split(text, "---\n") {
		var kind struct{ Kind string }
		if err := yaml.Unmarshal([]byte(part), &kind); err != nil {
			panic(err)
		}
		objects := map[string]runtime.Object{
			"Pod": &corev1.Pod{}, "Service": &corev1.Service{}, "Namespace": &corev1.Namespace{},
			"NetworkPolicy": &networkingv1.NetworkPolicy{}, "ConfigMap": &corev1.ConfigMap{},
		}
		if err := yaml.Unmarshal([]byte(part), objects[kind.Kind]); err != nil {
			panic(err)
		}
		w.objects = append(w.objects, objects[kind.Kind])
	}
}

// users are some objects of users with nothing wrong, and the cluster's DNS.
const users = `kind: Namespace
metadata: {name: demo, labels: {kubernetes.io/metadata.name: demo}}
---
kind: Namespace
metadata: {name: kube-system, labels: {kubernetes.io/metadata.name: kube-system}}
---
kind: Service
metadata: {name: web, namespace: demo}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}, {port: 81, targetPort: 8080}, {port: 90, nodePort: 30090}]}
---
kind: Pod
metadata: {name: web-6f-1, namespace: demo, labels: {app: web, pod-template-hash: 6f}, ownerReferences: [{kind: ReplicaSet, name: web-6f, controller: true}]}
spec: {nodeName: w1, dnsPolicy: ClusterFirst, containers: [{name: c, ports: [{name: http, containerPort: 8080}, {containerPort: 90, hostPort: 9090}]}]}
status: {phase: Running, podIP: 10.244.1.30, podIPs: [{ip: 10.244.1.30}], conditions: [{type: Ready, status: "True"}]}
---
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {clusterIPs: [10.96.0.10], selector: {k8s-app: kube-dns}, ports: [{port: 53, protocol: UDP}]}
---
kind: Pod
metadata: {name: coredns-1, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {nodeName: w2, dnsPolicy: Default, containers: [{name: c, ports: [{name: dns, containerPort: 53, protocol: UDP}]}]}
status: {phase: Running, podIP: 10.244.2.9, podIPs: [{ip: 10.244.2.9}], conditions: [{type: Ready, status: "True"}]}
---
kind: ConfigMap
metadata: {name: coredns, namespace: kube-system}
data: {Corefile: ".:53 {\n forward . 172.18.0.9 {\n max_concurrent 1000\n }\n}\n"}
`

func audited() *world {
	w := newWorld()
	// The DNS of the world itself has no labels; this one takes its place.
	w.objects = w.objects[:len(w.objects)-2]
	w.env.Cluster.ServiceCIDRs = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	w.env.Cluster.PodCIDRs = []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}
	w.apply(users)
	return w
}

// of is the object of users of that kind and name.
func of[T runtime.Object](w *world, name string) T {
	for _, o := range w.objects {
		if t, ok := o.(T); ok && any(t).(metav1.Object).GetName() == name {
			return t
		}
	}
	panic("no object " + name)
}

func TestAuditFindsNothingWrong(t *testing.T) {
	for _, id := range auditChecks {
		w := audited()
		if err := w.run(t, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

const podNamed = `kind: Pod
metadata: {name: x, namespace: demo, labels: {app: x}}
spec: {nodeName: w1, %s}
status: {phase: Running, podIP: 10.244.1.31, podIPs: [{ip: 10.244.1.31}], conditions: [{type: Ready, status: "True"}]}
`

const policyNamed = `kind: NetworkPolicy
metadata: {name: p, namespace: %s}
spec: %s
`

func TestAudit(t *testing.T) {
	pod := func(spec string) func(*world) { return func(w *world) { w.apply(fmt.Sprintf(podNamed, spec)) } }
	policies := func(specs ...string) func(*world) {
		return func(w *world) {
			for i, spec := range specs {
				namespace := "demo"
				if s, ok := strings.CutPrefix(spec, "system "); ok {
					namespace, spec = "kube-system", s
				}
				w.apply(fmt.Sprintf(strings.Replace(policyNamed, "name: p,", fmt.Sprintf("name: p%d,", i), 1), namespace, spec))
			}
		}
	}
	corefile := func(text string) func(*world) {
		return func(w *world) { of[*corev1.ConfigMap](w, "coredns").Data["Corefile"] = text }
	}
	failed, web := []string{"failed"}, func(w *world) *corev1.Pod { return of[*corev1.Pod](w, "web-6f-1") }
	audit(t, map[string]faulty{
		"a selector with a typing error": {
			check: "audit.service-selector", given: func(w *world) { of[*corev1.Service](w, "web").Spec.Selector = map[string]string{"app": "wbe"} },
			want: failed, says: []string{"Service demo/web: its selector app=wbe matches no pod; to fix it, "},
		},
		"a selector that matches only what has ended": {
			check: "audit.service-selector", given: func(w *world) { web(w).Status.Phase = corev1.PodFailed }, want: failed,
		},
		"a selector that matches in another namespace": {
			check: "audit.service-selector", given: func(w *world) { web(w).Namespace = "other" }, want: failed,
		},
		"endpoints made by hand": {
			check: "audit.service-selector", given: func(w *world) { of[*corev1.Service](w, "web").Spec.Selector = nil },
		},
		"no pod ready": {
			check: "audit.service-ready",
			given: func(w *world) {
				web(w).Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Message: "containers with unready status: [c]"}
			},
			want: []string{"failed w1"}, says: []string{"Service demo/web: none of its 1 pods is ready (web-6f-1: containers with unready status: [c])"},
		},
		"unready pods published on purpose": {
			check: "audit.service-ready",
			given: func(w *world) {
				web(w).Status.Conditions = nil
				of[*corev1.Service](w, "web").Spec.PublishNotReadyAddresses = true
			},
		},
		"a targetPort by a name that is gone": {
			check: "audit.service-target-port", given: func(w *world) { web(w).Spec.Containers[0].Ports[0].Name = "web" },
			want: failed, says: []string{"targetPort http/TCP, they have web 8080/TCP, 90/TCP"},
		},
		"a targetPort of another protocol": {
			check: "audit.service-target-port", given: func(w *world) { web(w).Spec.Containers[0].Ports[1].Protocol = corev1.ProtocolUDP },
			want: failed, says: []string{"targetPort 90/TCP"},
		},
		"a targetPort that nobody declares": {
			check: "audit.service-target-port",
			given: func(w *world) { of[*corev1.Service](w, "web").Spec.Ports[2].TargetPort = intstr.FromInt32(91) },
			want:  failed, says: []string{"targetPort 91/TCP"},
		},
		"a container that declares none may listen": {
			check: "audit.service-target-port",
			given: func(w *world) {
				of[*corev1.Service](w, "web").Spec.Ports[2].TargetPort = intstr.FromInt32(91)
				web(w).Spec.Containers = append(web(w).Spec.Containers, corev1.Container{Name: "side"})
			},
		},
		"stuck creating": {
			check: "audit.pods-stuck", given: func(w *world) {
				w.stuck("FailedCreatePodSandBox", `plugin type="flannel" failed (add): no IP addresses available`)
				of[*corev1.Event](w, "e").Type = corev1.EventTypeWarning
			},
			want: []string{"failed w1"}, says: []string{"Pod demo/web: none 1h0m0s after it was scheduled on w1, FailedCreatePodSandBox", "needs no new pod"},
		},
		"stuck for its volume": {check: "audit.pods-stuck", given: func(w *world) { w.stuck("FailedMount", "no such secret") }},
		"the node's resolver": {
			check: "audit.pod-dns", given: func(w *world) { web(w).Spec.DNSPolicy = corev1.DNSDefault },
			want: failed, says: []string{"Deployment demo/web: dnsPolicy Default", "to fix it, set dnsPolicy: ClusterFirst"},
		},
		"a nameserver outside": {
			check: "audit.pod-dns", given: pod(`dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.53]}`),
			want: failed, says: []string{"Pod demo/x: dnsPolicy None with nameservers 192.0.2.53, none of the cluster"},
		},
		"a nameserver of the cluster":  {check: "audit.pod-dns", given: pod(`dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.53, 10.96.0.10]}`)},
		"a nameserver on the node":     {check: "audit.pod-dns", given: pod(`dnsPolicy: None, dnsConfig: {nameservers: [169.254.20.10]}`)},
		"the host network's own DNS":   {check: "audit.pod-dns", given: pod(`dnsPolicy: ClusterFirstWithHostNet, hostNetwork: true`)},
		"the host network by mistake":  {check: "audit.pod-dns", given: pod(`dnsPolicy: ClusterFirst, hostNetwork: true`), want: failed, says: []string{"ClusterFirstWithHostNet"}},
		"an agent on the host network": {check: "audit.pod-dns", given: ofDaemonSet(`dnsPolicy: ClusterFirst, hostNetwork: true, containers: [{name: c, args: [--listen=:9100]}]`)},
		"an agent that names a Service": {
			check: "audit.pod-dns", given: ofDaemonSet(`dnsPolicy: ClusterFirst, hostNetwork: true, containers: [{name: c, args: ["--to=http://sink.demo.svc:80"]}]`),
			want: failed, says: []string{"DaemonSet demo/x"},
		},
		"egress denied": {
			check: "audit.policy-dns", given: policies(`{podSelector: {}, policyTypes: [Egress]}`),
			want: failed, says: []string{"NetworkPolicy demo/p0: it leaves Deployment demo/web no way to UDP port 53", "flannel enforces none"},
		},
		"egress denied and DNS allowed elsewhere": {check: "audit.policy-dns", given: policies(`{podSelector: {}, policyTypes: [Egress]}`,
			`{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}]}]}`)},
		"egress by range to the Service": {check: "audit.policy-dns", given: policies(`{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}]}`)},
		"egress by range but for the DNS": {check: "audit.policy-dns", want: failed,
			given: policies(`{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.96.0.0/16, 10.244.2.0/24]}}]}]}`)},
		"egress over TCP only":           {check: "audit.policy-dns", given: policies(`{podSelector: {}, egress: [{ports: [{port: 53, protocol: TCP}, {port: 443}]}]}`), want: failed},
		"egress to the port by its name": {check: "audit.policy-dns", given: policies(`{podSelector: {}, egress: [{ports: [{port: dns, protocol: UDP}]}]}`)},
		"egress within the namespace":    {check: "audit.policy-dns", given: policies(`{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}`), want: failed},
		"a policy of other pods":         {check: "audit.policy-dns", given: policies(`{podSelector: {matchLabels: {app: db}}, policyTypes: [Egress]}`)},
		"ingress policies do not matter": {check: "audit.policy-dns", given: policies(`{podSelector: {}}`)},
		"the DNS closed":                 {check: "audit.policy-dns", given: policies(`system {podSelector: {}}`), want: []string{"failed", "failed", "failed", "failed"}, says: []string{"NetworkPolicy kube-system/p0"}},
		"the DNS open to all namespaces": {check: "audit.policy-dns", given: policies(`system {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}`)},
		"a hostPort that is a nodePort":  {check: "audit.host-port", given: func(w *world) { web(w).Spec.Containers[0].Ports[1].HostPort = 30090 }, want: []string{"failed w1"}, says: []string{"nodePort of Service demo/web"}},
		"a hostPort of two pods":         {check: "audit.host-port", given: pod(`containers: [{name: c, ports: [{containerPort: 1, hostPort: 9090}]}]`), want: []string{"failed w1"}, says: []string{"Pod demo/x: its hostPort 9090/TCP on w1 is also that of demo/web-6f-1"}},
		"a hostPort of another protocol": {check: "audit.host-port", given: pod(`containers: [{name: c, ports: [{containerPort: 1, hostPort: 9090, protocol: UDP}]}]`)},
		"a hostPort at another address": {check: "audit.host-port", given: func(w *world) {
			web(w).Spec.Containers[0].Ports[1].HostIP = "172.18.0.3"
			pod(`containers: [{name: c, ports: [{containerPort: 1, hostPort: 9090, hostIP: 127.0.0.1}]}]`)(w)
		}},
		"a hostPort that nobody has free": {check: "audit.host-port", given: pending, want: failed, says: []string{"Pod demo/x: it is Pending for its hostPort 9090/TCP, which demo/web-6f-1 on w1 has"}},
		"forwarding to loopback":          {check: "audit.dns-loop", given: corefile("a.test { forward . 192.0.2.1 }\n.:53 {\n  forward . 127.0.0.1:53 # here\n}"), want: failed, says: []string{"forward 127.0.0.1:53 is a loopback address"}},
		"forwarding to its own Service":   {check: "audit.dns-loop", given: corefile("forward . 10.96.0.10 {"), want: failed, says: []string{"its own Service kube-dns"}},
		"forwarding to its own pod":       {check: "audit.dns-loop", given: corefile("forward . 192.0.2.1 10.244.2.9"), want: failed, says: []string{"its own pod coredns-1"}},
		"forwarding to a node's file":     {check: "audit.dns-loop", given: nodeFile(corefile, "search lan\nnameserver 127.0.0.53\n"), want: failed, says: []string{"Node w2: nameserver 127.0.0.53 is a loopback address", "/run/systemd/resolve/resolv.conf"}},
		"forwarding to a good file":       {check: "audit.dns-loop", given: nodeFile(corefile, "nameserver 192.0.2.1\n")},
		"forwarding to a file not seen":   {check: "audit.dns-loop", given: corefile("forward . /etc/resolv.conf"), want: []string{"not-applicable"}, says: []string{"node access"}},
		"another DNS server":              {check: "audit.dns-loop", given: func(w *world) { of[*corev1.ConfigMap](w, "coredns").Name = "other" }, want: []string{"not-applicable"}},
		"a proxy for everything":          {check: "audit.proxy", given: pod(`containers: [{name: c, env: [{name: HTTP_PROXY, value: "http://user:secret@proxy:1"}]}]`), want: failed, says: []string{"container c has HTTP_PROXY, and NO_PROXY lacks 10.96.0.0/16, 10.244.0.0/16"}},
		"a proxy but for Services":        {check: "audit.proxy", given: pod(`containers: [{name: c, env: [{name: https_proxy, value: a}, {name: no_proxy, value: "localhost, 10.96.0.0/12"}]}]`), want: failed, says: []string{"lacks 10.244.0.0/16;"}},
		"a proxy for the rest":            {check: "audit.proxy", given: pod(`containers: [{name: c, env: [{name: HTTPS_PROXY, value: a}, {name: NO_PROXY, value: "10.0.0.0/8,.svc"}]}]`)},
		"exemptions from elsewhere":       {check: "audit.proxy", given: pod(`containers: [{name: c, envFrom: [{configMapRef: {name: proxy}}], env: [{name: HTTPS_PROXY, value: a}]}]`)},
	})
}

func ofDaemonSet(spec string) func(*world) {
	return func(w *world) {
		w.apply(fmt.Sprintf(podNamed, spec))
		of[*corev1.Pod](w, "x").OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: "x", Controller: new(true)}}
	}
}

// pending adds a pod that no node has a port for.
func pending(w *world) {
	w.apply(fmt.Sprintf(podNamed, `containers: [{name: c, ports: [{containerPort: 1, hostPort: 9090}]}]`))
	p := of[*corev1.Pod](w, "x")
	p.Spec.NodeName = ""
	p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.",
	}}}
}

// nodeFile has CoreDNS forward to the resolv.conf of its node, which is text.
func nodeFile(corefile func(string) func(*world), text string) func(*world) {
	return func(w *world) {
		corefile("forward . /etc/resolv.conf")(w)
		w.env.Cluster.Access = files(text)
	}
}

// files is node access where every command prints this.
type files string

func (f files) Run(context.Context, string, cluster.Command) (cluster.Output, error) {
	return cluster.Output{Stdout: []byte(f)}, nil
}
func (f files) Describe(string, []string) string { return "" }

func audit(t *testing.T, cases map[string]faulty) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := audited()
			c.given(w)
			err := w.run(t, c.check)
			expect(t, err, c.want, c.says...)
			if err != nil && strings.Contains(err.Error(), "secret@") {
				t.Error("a password is told")
			}
		})
	}
}

// TestAuditOfManyObjects: what is wrong with thousands is told of some, in as
// many requests as there are pages and no more.
func TestAuditOfManyObjects(t *testing.T) {
	const n = 2500
	for _, id := range auditChecks {
		w := audited()
		w.apply(fmt.Sprintf(policyNamed, "demo", `{podSelector: {}, policyTypes: [Egress]}`))
		for i := range n {
			name := fmt.Sprintf("many-%d", i)
			p := runningPod("demo", name, "w1", "10.244.1.40")
			p.Labels = map[string]string{"app": name}
			p.Spec.DNSPolicy = corev1.DNSDefault
			p.Spec.Containers = []corev1.Container{{
				Name: "c", Ports: []corev1.ContainerPort{{ContainerPort: 1, HostPort: 9999}}, Env: []corev1.EnvVar{{Name: "HTTP_PROXY", Value: "x"}},
			}}
			s := service("demo", name, "10.96.1.1")
			s.Spec.Selector, s.Spec.Ports = p.Labels, []corev1.ServicePort{{Port: 80}}
			w.objects = append(w.objects, p, s)
		}
		start := time.Now()
		err := w.run(t, id)
		found, _ := outcomes(err)
		if len(found) > 11 {
			t.Errorf("%s: %d failures", id, len(found))
		}
		if len(found) > 1 && !strings.Contains(err.Error(), "and ") {
			t.Errorf("%s: does not say how many more: %v", id, err)
		}
		lists := map[string]int{}
		for _, a := range w.requests {
			lists[a]++
		}
		if len(w.requests) > 6 {
			t.Errorf("%s: requests %v", id, lists)
		}
		t.Logf("%s: %d failures, requests %v, %s", id, len(found), lists, time.Since(start).Round(time.Millisecond))
	}
}
