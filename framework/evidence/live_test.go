// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
)

func TestLive(t *testing.T) {
	path := os.Getenv("LIVE")
	if path == "" {
		t.Skip()
	}
	p := cluster.Existing(cluster.ExistingOptions{Kubeconfig: path, Timeouts: config.DefaultTimeouts()})
	c, err := p.Up(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %+v access %T", c.Name, c.CNI, c.Access)
	var s Subject
	for _, n := range c.Nodes {
		s.Nodes = append(s.Nodes, n.Name)
	}
	s.Healthy = s.Nodes[0]
	s.Nodes = s.Nodes[1:]
	s.Since = time.Now().Add(-time.Minute)
	s.Namespaces = []string{"default"}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	start := time.Now()
	os.RemoveAll("/tmp/ev/bundles/live")
	m, err := Collect(ctx, Request{Cluster: c, Subject: s, Dir: "/tmp/ev/bundles/live", RunID: "live", Check: "live.test"})
	var size int64
	for _, i := range m.Items {
		size += i.Size
	}
	t.Logf("%v: %d items %d bytes err %v", time.Since(start), len(m.Items), size, err)
}
