// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cniproof/cniproof/framework/cluster"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// apiServer serves the weave-net pods of two nodes; the kubelet of "dead" is
// gone, and containers have the logs a real crash loop leaves: none of a
// previous run of weave-init, one of weave.
func apiServer(t *testing.T) *rest.Config {
	pod := func(name, node string) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name},
			Spec:       corev1.PodSpec{NodeName: node, InitContainers: []corev1.Container{{Name: "weave-init"}}, Containers: []corev1.Container{{Name: "weave"}, {Name: "weave-npc"}}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: "weave", RestartCount: 7}, {Name: "weave-npc"},
			}},
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		status := func(code int32, reason metav1.StatusReason, message string) {
			w.WriteHeader(int(code))
			_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: code, Reason: reason, Message: message})
		}
		query := r.URL.Query()
		switch {
		case r.URL.Path == "/api/v1/pods" && query.Get("labelSelector") == "name=weave-net":
			list := corev1.PodList{}
			for name, node := range map[string]string{"weave-net-a": "alive", "weave-net-d": "dead"} {
				if query.Get("fieldSelector") == "spec.nodeName="+node {
					list.Items = append(list.Items, pod(name, node))
				}
			}
			_ = json.NewEncoder(w).Encode(list)
		case r.URL.Path == "/api/v1/pods":
			status(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcdserver: request timed out")
		case strings.Contains(r.URL.Path, "weave-net-d/log"):
			status(http.StatusInternalServerError, metav1.StatusReasonInternalError, `Get "https://172.18.0.6:10250/containerLogs": dial tcp 172.18.0.6:10250: connect: connection refused`)
		case query.Get("previous") == "true" && query.Get("container") != "weave":
			status(http.StatusBadRequest, metav1.StatusReasonBadRequest, "previous terminated container not found")
		case strings.HasSuffix(r.URL.Path, "/log"):
			_, _ = w.Write([]byte("2026-11-22T14:56:08Z " + query.Get("container") + " previous=" + query.Get("previous") + " tail=" + query.Get("tailLines") + "\n"))
		default:
			status(http.StatusNotFound, metav1.StatusReasonNotFound, r.URL.Path)
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func TestPodLogsFromAPIElseFromNode(t *testing.T) {
	config := apiServer(t)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	root := newNode(t, nil, map[string]string{
		"var/log/pods/kube-system_weave-net-d_uid/weave/6.log":         "2026-11-22T14:56:07Z stderr F Network 172.18.0.0/16 overlaps with existing route 172.18.0.0/16 on host\n",
		"var/log/pods/kube-system_weave-net-d_uid/weave/7.log":         "2026-11-22T14:56:09Z stderr F WEAVE_PASSWORD=correct-horse-battery\n",
		"var/log/pods/kube-system_calico-node-z_uid/calico-node/0.log": "2026-11-22T14:56:09Z stdout F felix\n",
	})
	// The shell expands the pattern below the node's root.
	tail := "#!/bin/sh\nshift 2\nfor p; do for f in $ROOT$p; do [ -e \"$f\" ] || { echo \"tail: cannot open '$p': No such file or directory\" >&2; exit 1; }; while IFS= read -r l; do echo \"$l\"; done <\"$f\"; done; done\n"
	if err := os.WriteFile(filepath.Join(root, "bin", "tail"), []byte(tail), 0o755); err != nil {
		t.Fatal(err)
	}
	c := &cluster.Cluster{Client: client, Config: config, Access: &fakeNodes{roots: map[string]string{"dead": root}}}
	dir := t.TempDir()
	b, w := newBundleAt(t, dir, Limits{})
	w.timeouts = testTimeouts()
	s := Subject{Nodes: []string{"alive", "dead"}}
	for _, load := range known() {
		if load.prefix == "weave-net-" || load.prefix == "calico-node-" {
			w.logs(t.Context(), c, s, load)
		}
	}
	m, err := b.close()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"pods/kube-system/weave-net-a/weave-init.log":     "weave-init previous= tail=5000",
		"pods/kube-system/weave-net-a/weave.log":          "weave previous=",
		"pods/kube-system/weave-net-a/weave.previous.log": "weave previous=true",
		"pods/kube-system/weave-net-a/weave-npc.log":      "weave-npc previous=",
		"nodes/dead/pod-logs/weave-net-d.log":             "overlaps with existing route 172.18.0.0/16 on host",
		"nodes/dead/pod-logs/calico-node.log":             "stdout F felix",
	} {
		itemAt(t, m, path)
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || !strings.Contains(string(data), want) || strings.Contains(string(data), "horse") {
			t.Errorf("%s: %q, want %q in it and no secret (%v)", path, data, want, err)
		}
	}
	reasons := ""
	for _, item := range m.Items {
		reasons += item.Reason + "\n"
	}
	for _, want := range []string{"dial tcp 172.18.0.6:10250: connect: connection refused", "list pods with label k8s-app=calico-node: etcdserver: request timed out"} {
		if !strings.Contains(reasons, want) {
			t.Errorf("the manifest does not say %q, only:\n%s", want, reasons)
		}
	}
	if strings.Contains(reasons, "previous terminated") {
		t.Error("a previous log was asked for of a container that never restarted")
	}
}
