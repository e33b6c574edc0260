// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// Secrets of kinds that are known by what they look like.
const (
	jwt    = "eyJhbGciOiJSUzI1NiIsImtpZCI6IkxyUSJ9.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50In0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	keyPEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8PbnGy0AHB7MhgHcTz6sE2I2yPB\naFDrBz9vFqU4zK9T4y0yVwYh0n9wq1YJ5l8Rkw==\n-----END RSA PRIVATE KEY-----\n"
	key64  = "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3dJQkFBS0NBUUVBMFozVlM1SkpjZHMzeGZuCg=="
)

// planted are secrets that lie on the fake nodes and in the fake cluster.
var planted = []string{"correct-horse-battery", "hunter2hunter2", jwt, "MIIEowIBAAKCAQEA0Z3", key64, "pa55word", "c2VjcmV0LXNlY3JldA=="}

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
		"touch":          `: >"$ROOT/$1"`,
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
	t.Parallel()
	worker := brokenWorker(t)
	access := &fakeNodes{roots: map[string]string{"worker": worker}}
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
		"no answer within 3s":                 TimedOut, // conntrack hangs
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
	if _, err := os.Stat(filepath.Join(worker, "pwned")); err == nil {
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
		if !onNode {
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
