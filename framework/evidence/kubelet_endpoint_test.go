// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// TestKubeletEndpoint is about what kubelet 1.36 answers with and without
// enableSystemLogQuery.
func TestKubeletEndpoint(t *testing.T) {
	const page = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n"
	for name, queries := range map[string]bool{"with queries": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// client-go drops a trailing slash; the API server's proxy follows the
				// kubelet's redirect to it.
				path, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/"), "/api/v1/nodes/worker/proxy/logs")
				path = strings.TrimPrefix(path, "/")
				switch unit := r.URL.Query().Get("query"); {
				case !ok:
					http.NotFound(w, r)
				case unit == "kubelet" && queries:
					io.WriteString(w, "Nov 23 01:58:00 worker kubelet[1]: starting\n")
				case unit != "" && queries:
					io.WriteString(w, "\noptions present and query resolved to log files for ["+unit+"]\ntry without specifying options\n")
				case path == "":
					io.WriteString(w, page+`<a href="calico/">calico/</a>`+"\n"+`<a href="pods/">pods/</a>`+"\n"+`<a href="syslog">syslog</a>`)
				case path == "calico":
					io.WriteString(w, page+`<a href="cni/">cni/</a>`)
				case path == "calico/cni":
					io.WriteString(w, page+`<a href="cni%20a.log">cni a.log</a>`)
				case path == "calico/cni/cni a.log":
					io.WriteString(w, "Calico CNI deleting\n")
				default:
					http.NotFound(w, r)
				}
			}))
			defer server.Close()
			c := newCluster(nil, []string{"worker"})
			c.Client = kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL, QPS: -1})
			m := collect(t, Request{Cluster: c, Subject: Subject{Nodes: []string{"worker"}}})
			itemAt(t, m, "nodes/worker/var-log/listing.txt")
			itemAt(t, m, "nodes/worker/files/var/log/calico/cni/cni a.log")
			if queries {
				itemAt(t, m, "nodes/worker/kubelet.log")
			}
			for _, item := range m.Items {
				switch {
				case !queries && strings.Contains(item.Command, "query=kubelet") && !strings.Contains(item.Reason, "enableSystemLogQuery"),
					queries && strings.Contains(item.Command, "query=docker") && item.Reason != "no unit docker on this node",
					item.Collector == "kernel-log" && !strings.HasPrefix(item.Command, "kubectl debug node/worker"):
					t.Errorf("%s: %s, %s", item.Command, item.Status, item.Reason)
				}
			}
		})
	}
}
