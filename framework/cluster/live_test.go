// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/fixtures/image"
	"github.com/cniproof/cniproof/framework/config"
)

// liveCluster connects to a cluster that Kind made; unit tests need none.
func liveCluster(t *testing.T) *Cluster {
	t.Helper()
	path := os.Getenv("CNIPROOF_LIVE_KUBECONFIG")
	if path == "" {
		t.Skip("set CNIPROOF_LIVE_KUBECONFIG to the kubeconfig of a cluster made by framework/cmd/cluster")
	}
	c, err := Existing(ExistingOptions{Kubeconfig: path, Timeouts: config.DefaultTimeouts(), Log: t.Output()}).Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLiveConnection(t *testing.T) {
	c := liveCluster(t)
	if !c.Owned || c.Access == nil || c.Outside == nil || len(c.Outside.Addrs) == 0 {
		t.Errorf("wanted an owned cluster with node access and an outside, observed owned %t, access %v, outside %+v", c.Owned, c.Access, c.Outside)
	}
	if c.CNI.Kind == unknown || c.CNI.Selector == "" || c.ProxyMode == unknown || len(c.PodCIDRs) == 0 || len(c.ServiceCIDRs) == 0 {
		t.Errorf("wanted everything detected, observed %+v", c)
	}
}

func TestLiveNodeAccess(t *testing.T) {
	c := liveCluster(t)
	node := c.Nodes[len(c.Nodes)-1].Name
	run := func(limit time.Duration, cmd Command) (Output, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return c.Access.Run(ctx, node, cmd)
	}
	out, err := run(5*time.Second, Command{Argv: []string{"cat", "-", "/etc/hostname"}, Stdin: []byte("in\n")})
	if err != nil || out.Code != 0 || string(out.Stdout) != "in\n"+node+"\n" {
		t.Errorf("wanted standard input and the node's name, observed %+v, %v", out, err)
	}
	out, err = run(5*time.Second, Command{Argv: []string{"sh", "-c", "echo no >&2; exit 3"}})
	if err != nil || out.Code != 3 || string(out.Stderr) != "no\n" {
		t.Errorf("wanted exit code 3 and no error, observed %+v, %v", out, err)
	}
	out, err = run(5*time.Second, Command{Argv: []string{"seq", "100000"}, Limit: 20})
	if err != nil || !out.Truncated || !strings.HasPrefix(string(out.Stdout), "1\n2\n3\n") || !strings.HasSuffix(string(out.Stdout), "\n100000\n") {
		t.Errorf("wanted head and tail, observed %q, %v", out.Stdout, err)
	}
	out, err = run(5*time.Second, Command{Argv: []string{"env"}})
	if err != nil || out.Code != 0 || !strings.Contains(string(out.Stdout), "CNIPROOF_EXEC=") {
		t.Errorf("wanted the whole environment, observed %q, %v", out.Stdout, err)
	}
	if _, err = run(5*time.Second, Command{Argv: []string{"calicoctl"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("wanted a command that is not there, observed %v", err)
	}
	if _, err := c.Access.Run(t.Context(), "nowhere", Command{Argv: []string{"true"}}); err == nil {
		t.Error("wanted an error for a node that is none")
	}
}

// TestLiveKill: the command must end in the node too, with its children.
func TestLiveKill(t *testing.T) {
	c := liveCluster(t)
	node := c.Nodes[len(c.Nodes)-1].Name
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		},
		"cancel": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		},
	} {
		ctx, cancel := end(t.Context())
		start := time.Now()
		_, err := c.Access.Run(ctx, node, Command{Argv: []string{"sh", "-c", "trap '' TERM; sleep 3210 & sleep 3211; true"}})
		cancel()
		if took := time.Since(start); err == nil || took > 1500*time.Millisecond+killWait {
			t.Errorf("%s: wanted an error in time, observed %v after %v", name, err, took)
		}
		time.Sleep(100 * time.Millisecond)
		out, err := c.Access.Run(t.Context(), node, Command{Argv: []string{"pgrep", "--full", "--list-full", "^sleep 321"}})
		if err != nil || out.Code != 1 {
			t.Errorf("%s: wanted no process left in the node, observed %q, %v", name, out.Stdout, err)
		}
	}
}

func TestLiveLoadImage(t *testing.T) {
	c := liveCluster(t)
	archive, err := image.Build(t.Context(), "fixtures/probe", t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := LoadImage(t.Context(), c, archive.Path, archive.Ref); err != nil {
			t.Fatal(err)
		}
	}
	if missing, err := MissingImage(t.Context(), c, archive.Ref); err != nil || len(missing) > 0 {
		t.Errorf("wanted the image on every node, observed it missing on %v, %v", missing, err)
	}
	if err := LoadImage(t.Context(), c, archive.Path, archive.Ref+"0"); err == nil || !strings.Contains(err.Error(), "it is not on") {
		t.Errorf("wanted an error for a reference that is not in the archive, observed %v", err)
	}
}
