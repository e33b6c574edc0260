// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

// planted are secrets that lie on the fake nodes and in the fake cluster.
var planted = []string{"correct-horse-battery", "hunter2hunter2", jwt, "MIIEowIBAAKCAQEA0Z3", key64, "pa55word", "c2VjcmV0LXNlY3JldA=="}

func readyNode(name string) (cluster.Node, *corev1.Node) {
	return cluster.Node{Name: name, Ready: true}, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionFalse, Message: "container runtime network not ready",
			LastTransitionTime: metav1.NewTime(time.Date(2026, 11, 22, 14, 47, 31, 0, time.UTC)),
		}}},
	}
}

// newCluster is a fake cluster of nodes with these names and these objects.
func newCluster(access cluster.NodeAccess, names []string, objects ...runtime.Object) *cluster.Cluster {
	c := &cluster.Cluster{Name: "fake", Access: access, CNI: cluster.CNI{Kind: "flannel", Namespace: "kube-flannel", Selector: "app=flannel"}}
	for _, name := range names {
		described, object := readyNode(name)
		c.Nodes = append(c.Nodes, described)
		objects = append(objects, object)
	}
	c.Client = fake.NewClientset(objects...)
	return c
}

func testTimeouts() config.Timeouts {
	t := config.DefaultTimeouts()
	t.NodeCommand = 2 * time.Second
	return t
}

// collect runs Collect and fails the test when it fails.
func collect(t *testing.T, r Request) Manifest {
	t.Helper()
	if r.Dir == "" {
		r.Dir = filepath.Join(t.TempDir(), "evidence", "area.claim")
	}
	if r.Timeouts == (config.Timeouts{}) {
		r.Timeouts = testTimeouts()
	}
	m, err := Collect(context.Background(), r)
	if err != nil {
		t.Fatalf("Collect: %v", err)
	}
	return m
}

func itemAt(t *testing.T, m Manifest, path string) Item {
	t.Helper()
	for _, item := range m.Items {
		if item.Path == path {
			return item
		}
	}
	t.Fatalf("the manifest has no item %s", path)
	return Item{}
}

func brokenWorker(t *testing.T) string {
	return newNode(t, map[string]string{
		"journalctl":     `case "$2" in kubelet) echo "2026-11-22T14:47:40.000000+0000 worker kubelet[7]: E1122 NetworkReady=false message:Network plugin returns error: cni plugin not initialized"; echo "curl -H 'Authorization: Bearer ` + jwt + `'";; containerd) echo "level=error msg=\"failed to load cni during init\" registry=https://robot:hunter2hunter2@r.io/";; *) echo "-- No entries --";; esac`,
		"systemctl":      `case $1 in show) printf 'Id=containerd.service\nLoadState=loaded\n\nId=docker.service\nLoadState=not-found\n\nId=cri-docker.service\nLoadState=not-found\n\nId=crio.service\nLoadState=not-found\n';; *) echo "Unit docker.service could not be found."; exit 4;; esac`,
		"containerd":     `if [ "$1" = config ]; then printf "[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['/opt/other/bin']\nconf_dir = '/etc/other/net.d'\n[plugins.'io.containerd.cri.v1.images'.registry.configs.'r.io'.auth]\npassword = 'correct-horse-battery'\n"; echo "level=warning msg=deprecated" >&2; else echo containerd v2; fi`,
		"crictl":         `echo "connect: connection refused" >&2; exit 1`,
		"dmesg":          `echo "2026-11-22T14:44:38,000000+00:00 cni0: port 2(veth) entered blocking state"`,
		"ip":             `echo "ip $*"`,
		"iptables-save":  `echo "*filter"`,
		"conntrack":      `exec /bin/sleep 30`,
		"uname":          `echo Linux`,
		"uptime":         `echo up`,
		"flannel-plugin": `exit 0`,
		"sysctl":         `echo "net.ipv4.ip_forward = 1"; echo "net.ipv4.tcp_fastopen_key = 00000000-11111111"`,
		"head":           `exit 1`, "od": `exit 1`,
	}, map[string]string{
		"etc/cni/net.d/10-flannel.conflist":     `{"cniVersion":"1.0.0","name":"cbr0","plugins":[{"type":"flannel-plugin","ipam":{"type":"host-local"}},{"type":"policy","k8s_auth_token":"correct-horse-battery"}]}`,
		"etc/cni/net.d/calico-kubeconfig":       "users:\n- user:\n    token: " + jwt + "\n    client-key-data: " + key64 + "\nclusters:\n- cluster:\n    server: https://10.96.0.1:443\n",
		"etc/cni/net.d/odd $(touch pwned).conf": keyPEM,
		"var/log/calico/cni/cni.log":            "2026 [INFO] password=pa55word host=10.0.0.1\n",
		"run/flannel/subnet.env":                "FLANNEL_SUBNET=10.244.1.1/24\n",
		"run/systemd/container":                 "docker\n",
		"etc/resolv.conf":                       "nameserver 10.96.0.10\n",
	})
}

func involvedObjects() []runtime.Object {
	when := metav1.NewTime(time.Date(2026, 11, 22, 14, 47, 40, 0, time.UTC))
	pod := func(namespace, name string, labels map[string]string, restarts int32) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name), Labels: labels},
			Spec: corev1.PodSpec{
				NodeName:       "worker",
				InitContainers: []corev1.Container{{Name: "install-cni"}},
				Containers:     []corev1.Container{{Name: "main", Env: []corev1.EnvVar{{Name: "DB_PASSWORD", Value: "correct-horse-battery"}}}},
			},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "main", RestartCount: restarts, Ready: restarts == 0}}},
		}
	}
	return []runtime.Object{
		pod("kube-flannel", "kube-flannel-ds-x", map[string]string{"app": "flannel"}, 3),
		pod("kube-system", "kube-proxy-x", map[string]string{"k8s-app": "kube-proxy"}, 0),
		pod("other", "not-ours", map[string]string{"app": "flannel"}, 0),
		pod("demo", "web", nil, 0),
		&corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "e"}, LastTimestamp: when, Type: "Warning", Reason: "FailedCreatePodSandBox", Count: 2,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "demo", Name: "web", UID: "web"},
			Message:        "failed (add): Get \"https://admin:pa55word@10.96.0.1\": refused",
		},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "s"}, Data: map[string][]byte{"password": []byte("hunter2hunter2")}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns"}, Data: map[string]string{"Corefile": ".:53 {\n}\n"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "unrelated"}, Data: map[string]string{"x": "y"}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{
			Namespace: "demo", Name: "web", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
			Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"},
		}},
	}
}

// TestCollect takes a whole bundle from a broken node and looks at what it says
// and at what must not be in it.
func TestCollect(t *testing.T) {
	access := &fakeNodes{roots: map[string]string{"worker": brokenWorker(t)}}
	r := Request{
		Cluster: newCluster(access, []string{"worker"}, involvedObjects()...),
		Subject: Subject{Nodes: []string{"worker"}, Pods: []string{"demo/web", "demo/gone"}, Since: time.Now()},
		Dir:     filepath.Join(t.TempDir(), "evidence", "sandbox.starts"), RunID: "run-1", Check: "sandbox.starts",
	}
	m := collect(t, r)

	files, opened, err := Open(r.Dir)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if want, _ := json.Marshal(m); string(want) != func() string { got, _ := json.Marshal(opened); return string(got) }() {
		t.Error("Open's manifest differs from Collect's")
	}
	sizes := map[string]int64{}
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		sizes[path] = int64(len(data))
		for _, secret := range planted {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s holds the secret %q", path, secret)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{manifestName: true}
	for _, item := range m.Items {
		if item.Path == "" {
			if item.Reason == "" || item.Status == Collected {
				t.Errorf("item %q has no file, status %s and no reason", item.Command, item.Status)
			}
			continue
		}
		listed[item.Path] = true
		if size, ok := sizes[item.Path]; !ok || size != item.Size {
			t.Errorf("%s: %d bytes in the manifest, %d on disk", item.Path, item.Size, size)
		}
	}
	for path := range sizes {
		if !listed[path] {
			t.Errorf("%s is not in the manifest", path)
		}
	}
	for path, want := range map[string]string{
		"nodes/worker/kubelet.log":                              "cni plugin not initialized",
		"nodes/worker/containerd.log":                           "https://<redacted>@r.io/",
		"nodes/worker/listing/etc/cni/net.d.txt":                "10-flannel.conflist",
		"nodes/worker/listing/etc/other/net.d.txt":              "No such file or directory",
		"nodes/worker/listing/opt/other/bin.txt":                "No such file or directory",
		"nodes/worker/files/etc/cni/net.d/10-flannel.conflist":  `"type":"flannel-plugin"`,
		"nodes/worker/files/etc/cni/net.d/calico-kubeconfig":    "server: https://10.96.0.1:443",
		"nodes/worker/files/var/log/calico/cni/cni.log":         "host=10.0.0.1",
		"nodes/worker/flannel/subnet.env":                       "FLANNEL_SUBNET=10.244.1.1/24",
		"nodes/worker/network/ip-route-4.txt":                   "ip -4 route show table all",
		"nodes/worker/network/iptables.txt":                     "*filter",
		"nodes/worker/network/sysctl.txt":                       "net.ipv4.ip_forward = 1",
		"nodes/worker/describe.txt":                             "container runtime network not ready",
		"pods/demo/web/describe.txt":                            "FailedCreatePodSandBox",
		"pods/kube-flannel/kube-flannel-ds-x/describe.txt":      "DB_PASSWORD:  <redacted>",
		"pods/kube-flannel/kube-flannel-ds-x/install-cni.log":   "fake logs",
		"pods/kube-flannel/kube-flannel-ds-x/main.previous.log": "fake logs",
		"cluster/demo/events.txt":                               "https://<redacted>@10.96.0.1",
		"cluster/demo/services.yaml":                            "name: web",
		"cluster/kube-system/configmaps.yaml":                   "Corefile",
		"cluster/nodes.yaml":                                    "kind: Node",
	} {
		data, err := fs.ReadFile(files, path)
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s: wanted %q in it, observed %.300q (%v)", path, want, data, err)
		}
	}
	for path, ban := range map[string]string{
		"cluster/demo/services.yaml": "managedFields", "cluster/nodes.yaml": "managedFields",
		"cluster/kube-system/configmaps.yaml": "unrelated",
	} {
		if data, _ := fs.ReadFile(files, path); strings.Contains(string(data), ban) {
			t.Errorf("%s holds %q", path, ban)
		}
	}
	if item := itemAt(t, m, "nodes/worker/files/etc/cni/net.d/calico-kubeconfig"); item.Redacted != 2 {
		t.Errorf("the CNI's kubeconfig: %d secrets counted, want 2", item.Redacted)
	}
	if item := itemAt(t, m, "nodes/worker/dmesg.txt"); !strings.Contains(item.Note, "docker container") {
		t.Errorf("dmesg of a node that is a container has the note %q", item.Note)
	}
	for reason, status := range map[string]Status{
		"no unit docker.service on this node": Unavailable,
		"no docker on this node (exit 127)":   Unavailable,
		"exit 1: connect: connection refused": Unavailable,
		`pods "gone" not found`:               Unavailable,
		"no pod with label name=weave-net in": Unavailable,
		"not asked: the cluster's CNI is":     Unavailable,
		"no answer within 2s":                 TimedOut, // conntrack hangs
		"exit 127":                            Unavailable,
	} {
		found := false
		for _, item := range m.Items {
			found = found || strings.Contains(item.Reason, reason) && item.Status == status
		}
		if !found {
			t.Errorf("no item is %s because %q", status, reason)
		}
	}
	for path := range sizes {
		if strings.HasPrefix(path, "pods/other/") || strings.HasPrefix(path, "pods/kube-system/kube-proxy-x/describe") {
			t.Errorf("%s: not a pod of the failure", path)
		}
	}
	if _, err := os.Stat("pwned"); err == nil {
		t.Error("the name of a file on the node was run by a shell")
	}
	testCommandsAreDocumented(t, m)
}

// testCommandsAreDocumented: what a bundle's items say was run on nodes is what
// the README's table says.
func testCommandsAreDocumented(t *testing.T, m Manifest) {
	var documented []string
	for _, s := range Steps() {
		pattern := regexp.QuoteMeta(s.Command)
		pattern = regexp.MustCompile(`<[a-z_]+>`).ReplaceAllString(pattern, `.+`)
		documented = append(documented, pattern)
	}
	for _, item := range m.Items {
		command, onNode := strings.CutPrefix(item.Command, "on worker: ")
		if !onNode || item.Collector == "node-access" {
			continue
		}
		found := false
		for _, pattern := range documented {
			found = found || regexp.MustCompile("^"+pattern+"$").MatchString(command)
		}
		if !found {
			t.Errorf("%s ran %q, which no step documents", item.Collector, command)
		}
	}
}

func TestCollectDeadNode(t *testing.T) {
	access := &fakeNodes{
		roots: map[string]string{"worker": brokenWorker(t), "dead": t.TempDir()},
		before: func(ctx context.Context, node string) error {
			if node != "dead" {
				return nil
			}
			<-ctx.Done()
			return fmt.Errorf("run on dead: killed: %w", ctx.Err())
		},
	}
	timeouts := testTimeouts()
	timeouts.NodeCommand = 300 * time.Millisecond
	m := collect(t, Request{
		Cluster: newCluster(access, []string{"worker", "dead"}), Timeouts: timeouts,
		Subject: Subject{Nodes: []string{"dead"}, Healthy: "worker"},
	})
	const last = "API server's last word: NotReady since 2026-11-22T14:47:31Z: container runtime network not ready"
	kubelet := 0
	for _, item := range m.Items {
		if item.Node != "dead" || item.Collector == "node-status" {
			continue
		}
		if item.Status != Unavailable || !strings.Contains(item.Reason, last) {
			t.Errorf("%s of the dead node is %s (%s), want unavailable with the API server's last word", item.Command, item.Status, item.Reason)
		}
		if strings.HasPrefix(item.Command, "on dead: journalctl -u kubelet") {
			kubelet++
		}
	}
	if kubelet != 1 {
		t.Errorf("the dead node's kubelet log is %d times in the manifest, want once", kubelet)
	}
	itemAt(t, m, "nodes/dead/describe.txt") // the API server still knows it
	itemAt(t, m, "nodes/worker/network/ip-addr.txt")
}

func TestCollectWithoutNodeAccess(t *testing.T) {
	m := collect(t, Request{Cluster: newCluster(nil, []string{"worker"}), Subject: Subject{Nodes: []string{"worker"}}})
	for _, item := range m.Items {
		if item.Collector == "kubelet-log" {
			if item.Status != Unavailable || !strings.HasPrefix(item.Command, "journalctl -u kubelet") {
				t.Errorf("kubelet log without node access: %+v", item)
			}
			return
		}
	}
	t.Error("the kubelet log is not in the manifest")
}

// TestCollectNodesInParallel: every node must be asked before any answers.
func TestCollectNodesInParallel(t *testing.T) {
	names := []string{"a", "b", "c"}
	var once [3]sync.Once
	var met sync.WaitGroup
	met.Add(len(names))
	access := &fakeNodes{roots: map[string]string{"a": brokenWorker(t)}}
	access.roots["b"], access.roots["c"] = access.roots["a"], access.roots["a"]
	access.before = func(ctx context.Context, node string) error {
		once[strings.Index("abc", node)].Do(met.Done)
		all := make(chan struct{})
		go func() { met.Wait(); close(all) }()
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return errors.New("the other nodes were not asked meanwhile")
		}
	}
	m := collect(t, Request{Cluster: newCluster(access, names), Subject: Subject{Nodes: names[:2], Healthy: "c"}})
	for _, name := range names {
		itemAt(t, m, "nodes/"+name+"/kubelet.log")
	}
}

var slow = struct {
	sync.Mutex
	release chan struct{}
}{release: make(chan struct{})}

var (
	_ = Register(Collector{
		Name: "test-stubborn", Title: "ignores its deadline", Steps: []Step{{Command: "sleep"}},
		Once: func(_ context.Context, _ *cluster.Cluster, _ Subject, w *Writer) error {
			item := w.begin("sleep")
			<-slow.release
			item.Path = "cluster/late.txt"
			w.saveText(item, "too late")
			return nil
		},
	})
	_ = Register(Collector{
		Name: "test-panics", Title: "has a mistake", Steps: []Step{{Command: "panic"}},
		PerNode: func(context.Context, *cluster.Cluster, string, *Writer) error { panic("at the disco") },
	})
)

func TestCollectHonoursDeadlines(t *testing.T) {
	access := &fakeNodes{roots: map[string]string{"worker": brokenWorker(t)}}
	timeouts := testTimeouts()
	timeouts.NodeCommand, timeouts.Collector = 500*time.Millisecond, 4*time.Second
	start := time.Now()
	m := collect(t, Request{
		Cluster: newCluster(access, []string{"worker"}), Subject: Subject{Nodes: []string{"worker"}},
		Collectors: []string{"test-stubborn", "test-panics"}, Timeouts: timeouts,
	})
	if took := time.Since(start); took > 3*timeouts.Collector {
		t.Errorf("Collect took %s with a collector deadline of %s", took, timeouts.Collector)
	}
	close(slow.release)
	status := map[string]Item{}
	for _, item := range m.Items {
		status[item.Collector] = item
	}
	if item := status["test-stubborn"]; item.Status != TimedOut || !strings.Contains(item.Reason, "still running") {
		t.Errorf("the collector that ignores its deadline is %+v", item)
	}
	if item := status["test-panics"]; item.Status != Unavailable || !strings.Contains(item.Reason, "at the disco") {
		t.Errorf("the collector that panics is %+v", item)
	}
	itemAt(t, m, "nodes/worker/kubelet.log")
}

func TestCollectWhenContextEnds(t *testing.T) {
	access := &fakeNodes{roots: map[string]string{"worker": t.TempDir()}, before: func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "b")
	m, err := Collect(ctx, Request{Cluster: newCluster(access, []string{"worker"}), Subject: Subject{Nodes: []string{"worker"}}, Dir: dir, Timeouts: testTimeouts()})
	if err != nil {
		t.Fatalf("Collect: %v", err)
	}
	_, opened, err := Open(dir)
	if err != nil || len(opened.Items) != len(m.Items) || len(m.Items) == 0 {
		t.Errorf("after its context ended: %d items in the manifest on disk, %d returned (%v)", len(opened.Items), len(m.Items), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, manifestName+".*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func TestCollectUnknownCollector(t *testing.T) {
	_, err := Collect(context.Background(), Request{Cluster: newCluster(nil, nil), Dir: t.TempDir(), Collectors: []string{"no-such"}, Timeouts: testTimeouts()})
	if err == nil || !strings.Contains(err.Error(), "no-such") {
		t.Errorf("Collect with an unknown collector: %v", err)
	}
}
