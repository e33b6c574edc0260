// SPDX-License-Identifier: Apache-2.0

package session

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/evidence"
)

// TestLiveWaysOntoNodes collects the same evidence through the nodes' containers,
// through agents and from the kubelets' endpoints: the first two must have the
// same, the last the logs it can have and a reason for everything else.
func TestLiveWaysOntoNodes(t *testing.T) {
	kubeconfig := os.Getenv("CNIPROOF_LIVE_KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("set CNIPROOF_LIVE_KUBECONFIG to the kubeconfig of a cluster made by framework/cmd/cluster")
	}
	o := &config.Options{Kubeconfig: kubeconfig, Artifacts: t.TempDir(), NodeAgent: config.AgentOn, Timeouts: config.DefaultTimeouts()}
	s, err := New(Input{Options: o, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	containers, err := cluster.Existing(cluster.ExistingOptions{Kubeconfig: kubeconfig, Timeouts: o.Timeouts, Log: t.Output()}).Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	collect := func(access cluster.NodeAccess) map[string]evidence.Item {
		t.Helper()
		c := *s.Cluster
		c.Access = access
		start := time.Now()
		m, err := evidence.Collect(t.Context(), evidence.Request{
			Cluster: &c, Dir: t.TempDir(), RunID: s.RunID, Timeouts: o.Timeouts,
			Subject: evidence.Subject{Nodes: []string{c.Nodes[len(c.Nodes)-1].Name}, Healthy: c.Nodes[0].Name, Namespaces: []string{s.Namespace}, Since: s.Started},
		})
		if err != nil {
			t.Fatal(err)
		}
		had := map[string]evidence.Item{}
		for _, i := range m.Items {
			if i.Path != "" && strings.HasPrefix(i.Path, "nodes/") {
				had[i.Path] = i
			}
			if i.Path == "" && i.Reason == "" {
				t.Errorf("%s is not there and has no reason", i.Command)
			}
		}
		t.Logf("%d files of nodes in %.1f s", len(had), time.Since(start).Seconds())
		return had
	}
	byContainer, byAgent := collect(containers.Access), collect(s.Cluster.Access)
	for file := range byContainer {
		if _, ok := byAgent[file]; !ok && !passing(file) {
			t.Errorf("agents have no %s", file)
		}
	}
	for file := range byAgent {
		if _, ok := byContainer[file]; !ok && !passing(file) {
			t.Errorf("containers have no %s", file)
		}
	}
	byKubelet := collect(nil)
	for _, n := range s.Cluster.Nodes[:1] {
		if _, ok := byKubelet["nodes/"+n.Name+"/var-log/listing.txt"]; !ok {
			t.Errorf("the kubelet of %s lists no logs: %v", n.Name, byKubelet)
		}
	}
	if _, err := s.Cluster.Access.Run(t.Context(), "nowhere", cluster.Command{Argv: []string{"true"}}); err == nil {
		t.Error("there is an agent on a node that is none")
	}
}

// passing are files of what comes and goes with pods.
func passing(file string) bool {
	return slices.Contains([]string{"pod-addr.txt", "pod-route.txt"}, path.Base(file)) || strings.Contains(file, "/pod-logs/")
}
