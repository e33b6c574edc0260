// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

// captures are recordings of clusters with CNIs that do not run in CI.
const captures = "../../../shared/captures"

func capture(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(captures, path))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the captures are not on this machine: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// decode returns the objects in a text: each begins with a line "apiVersion:".
// What precedes the first one, tables and the command typed, is left out.
func decode(t *testing.T, text string) []runtime.Object {
	t.Helper()
	var objects []runtime.Object
	for _, document := range strings.Split("\n"+text, "\napiVersion: ")[1:] {
		document, _, _ = strings.Cut("apiVersion: "+document, "\n---")
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(document), nil, nil)
		if err != nil {
			t.Fatalf("decode: %v\n%.300s", err, document)
		}
		objects = append(objects, object)
	}
	return objects
}

// clusterOf is a cluster of the objects, not detected yet.
func clusterOf(objects []runtime.Object) *Cluster {
	c := &Cluster{Client: fake.NewClientset(objects...), Server: "v1.36.3"}
	for _, object := range objects {
		if node, ok := object.(*corev1.Node); ok {
			c.Nodes = append(c.Nodes, newNode(*node))
		}
	}
	return c
}

func TestDetect(t *testing.T) {
	v4, both := []corev1.IPFamily{corev1.IPv4Protocol}, []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	cases := []struct {
		name     string
		text     func(*testing.T) string
		cni      CNI
		proxy    string
		pods     string
		services string
		families []corev1.IPFamily
	}{
		{
			name: "flannel", text: func(t *testing.T) string { return testdata(t, "flannel.yaml") },
			cni:   CNI{Kind: "flannel", Namespace: "kube-flannel", Selector: "app=flannel", DaemonSet: "kube-flannel-ds", Version: "v0.28.4", Backend: "vxlan"},
			proxy: "iptables", pods: "10.244.0.0/16", services: "10.96.0.0/16", families: v4,
		},
		{
			name: "calico", text: func(t *testing.T) string { return capture(t, "calico/healthy/workloads.txt") },
			cni: CNI{Kind: "calico", Namespace: "kube-system", Selector: "k8s-app=calico-node", DaemonSet: "calico-node", Version: "v3.32.1", Backend: "vxlan"},
			// The capture holds no other objects.
			proxy: "none",
		},
		{
			name: "weave", text: func(t *testing.T) string { return capture(t, "weave/healthy/k8s/weave-net-daemonset.yaml") },
			cni:   CNI{Kind: "weave", Namespace: "kube-system", Selector: "name=weave-net", DaemonSet: "weave-net", Version: "2.8.2-local", Backend: "sleeve"},
			proxy: "none", pods: "10.32.0.0/12", families: v4,
		},
		{
			name: "cilium", text: func(t *testing.T) string { return testdata(t, "cilium.yaml") },
			cni:   CNI{Kind: "cilium", Namespace: "cilium-system", Selector: "k8s-app=cilium", DaemonSet: "cilium", Version: "v1.15.19", Backend: "geneve"},
			proxy: "none", pods: "10.60.0.0/16 fd00:60::/104", services: "10.97.0.0/16 fd00:97::/112", families: both,
		},
		{
			name: "kindnet", text: func(t *testing.T) string { return testdata(t, "kindnet.yaml") },
			cni:   CNI{Kind: "kindnet", Namespace: "kube-system", Selector: "app=kindnet", DaemonSet: "kindnet", Version: "v20260820-69b56db7"},
			proxy: "nftables", pods: "10.245.0.0/16", families: v4,
		},
		{
			name: "nothing", text: func(*testing.T) string { return "" },
			cni: CNI{Kind: "unknown"}, proxy: "none",
		},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			c := clusterOf(decode(t, test.text(t)))
			if err := detect(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if c.CNI != test.cni {
				t.Errorf("CNI: wanted %+v, observed %+v", test.cni, c.CNI)
			}
			if c.ProxyMode != test.proxy {
				t.Errorf("proxy mode: wanted %q, observed %q", test.proxy, c.ProxyMode)
			}
			if wanted := prefixes(strings.Fields(test.pods)...); !reflect.DeepEqual(wanted, c.PodCIDRs) {
				t.Errorf("pod ranges: wanted %v, observed %v", wanted, c.PodCIDRs)
			}
			if wanted := prefixes(strings.Fields(test.services)...); !reflect.DeepEqual(wanted, c.ServiceCIDRs) {
				t.Errorf("Service ranges: wanted %v, observed %v", wanted, c.ServiceCIDRs)
			}
			if !reflect.DeepEqual(test.families, c.Families) {
				t.Errorf("families: wanted %v, observed %v", test.families, c.Families)
			}
		})
	}
}

func TestNewNode(t *testing.T) {
	nodes := clusterOf(decode(t, testdata(t, "flannel.yaml"))).Nodes
	if len(nodes) != 3 {
		t.Fatalf("wanted 3 nodes, observed %d", len(nodes))
	}
	wanted := Node{
		Name: "cniproof-default-6bydoq-control-plane", ControlPlane: true, Ready: true,
		Taints:      []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}},
		InternalIPs: []netip.Addr{netip.MustParseAddr("172.18.0.4")},
		PodCIDRs:    []netip.Prefix{netip.MustParsePrefix("10.244.0.0/24")},
		OS:          "linux", Arch: "amd64", Kernel: nodes[0].Kernel, Kubelet: "v1.36.3", Runtime: "containerd", RuntimeVersion: "2.3.7",
	}
	if !reflect.DeepEqual(wanted, nodes[0]) {
		t.Errorf("wanted\n%+v, observed\n%+v", wanted, nodes[0])
	}
	if nodes[1].ControlPlane || len(nodes[1].Taints) > 0 {
		t.Errorf("%s: wanted a worker without taints, observed %+v", nodes[1].Name, nodes[1])
	}
	down := newNode(corev1.Node{Status: corev1.NodeStatus{
		NodeInfo:   corev1.NodeSystemInfo{ContainerRuntimeVersion: "cri-o://1.34.2"},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Message: "Kubelet stopped posting node status."}},
	}})
	if down.Ready || down.NotReadyReason != "Kubelet stopped posting node status." || down.Runtime != "cri-o" {
		t.Errorf("wanted a node of cri-o that is not Ready, observed %+v", down)
	}
}

// TestDetectOfTwo is about a cluster with the rest of an earlier CNI.
func TestDetectOfTwo(t *testing.T) {
	rest := decode(t, testdata(t, "kindnet.yaml"))[0].(*appsv1.DaemonSet)
	rest.Status.NumberReady = 0
	for _, objects := range [][]runtime.Object{
		append(decode(t, testdata(t, "flannel.yaml")), rest),
		append([]runtime.Object{rest}, decode(t, testdata(t, "flannel.yaml"))...),
	} {
		c := clusterOf(objects)
		if err := detect(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if c.CNI.Kind != "flannel" {
			t.Errorf("wanted the CNI that is ready, flannel, observed %s", c.CNI.Kind)
		}
	}
}

// TestDetectForbidden: what may not be read stays unknown and is no error, but
// a server that fails is.
func TestDetectForbidden(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: action.GetResource().Resource}, "", nil)
	})
	c := &Cluster{Client: client, Server: "v1.36.3+k3s1"}
	if err := detect(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if c.CNI.Kind != "unknown" || c.ProxyMode != "unknown" {
		t.Errorf("wanted unknown twice, observed CNI %q, kube-proxy %q", c.CNI.Kind, c.ProxyMode)
	}
	client.PrependReactor("list", "daemonsets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(errors.New("etcdserver: request timed out"))
	})
	if err := detect(t.Context(), c); err == nil || !strings.Contains(err.Error(), "etcdserver") {
		t.Errorf("wanted the server's error, observed %v", err)
	}
}

// onNode is a node that answers two commands: it lists files and shows one.
type onNode map[string]string

func (n onNode) Run(_ context.Context, _ string, cmd Command) (Output, error) {
	if cmd.Argv[0] == "cat" {
		return Output{Stdout: []byte(n[cmd.Argv[1]])}, nil
	}
	var names []string
	for name := range n {
		names = append(names, name)
	}
	return Output{Stdout: []byte(strings.Join(names, "\n"))}, nil
}

func (onNode) Describe(string, []string) string { return "" }

func TestDetectByConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		files  onNode
		wanted string
	}{
		"k3s": {onNode{"/etc/cni/net.d/10-flannel.conflist": `{"name":"cbr0","cniVersion":"1.0.0","plugins":[{"type":"flannel"},{"type":"portmap"}]}`}, "flannel"},
		"the first file counts": {onNode{
			"/etc/cni/net.d/87-podman.conflist": `{"name":"podman","plugins":[{"type":"bridge"}]}`,
			"/etc/cni/net.d/05-cilium.conflist": `{"name":"cilium","plugins":[{"type":"cilium-cni"}]}`,
		}, "cilium"},
		"kindnet":   {onNode{"/etc/cni/net.d/10-kindnet.conflist": `{"name":"kindnet","plugins":[{"type":"ptp"}]}`}, "kindnet"},
		"malformed": {onNode{"/etc/cni/net.d/10-a.conf": `{"type":`}, "unknown"},
		"empty":     {onNode{}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Cluster{Client: fake.NewClientset(), Nodes: []Node{{Name: "a", Ready: true}}, Access: test.files}
			if err := detect(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if c.CNI.Kind != test.wanted {
				t.Errorf("wanted %s, observed %s", test.wanted, c.CNI.Kind)
			}
		})
	}
}

func TestCNIInCapturedConfiguration(t *testing.T) {
	_, text, _ := strings.Cut(capture(t, "calico/healthy/node-calico-worker/cni-dirs.txt"), "10-calico.conflist\n{")
	text, _, found := strings.Cut("{"+text, "### ")
	if kind := cniInConfig([]byte(text)); !found || kind != "calico" {
		t.Errorf("wanted calico, observed %s in\n%s", kind, text)
	}
}
