// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

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
	t.NodeCommand = 3 * time.Second
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

func TestCollectDeadNode(t *testing.T) {
	t.Parallel()
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
	m := collect(t, Request{
		Cluster: newCluster(access, []string{"worker", "dead"}),
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
			if item.Status != Unavailable || !strings.HasPrefix(item.Command, "kubectl debug node/worker ") || !strings.Contains(item.Command, " -- journalctl -u kubelet ") {
				t.Errorf("kubelet log without node access: %+v", item)
			}
			return
		}
	}
	t.Error("the kubelet log is not in the manifest")
}

// TestCollectNodesInParallel: every node must be asked before any answers.
func TestCollectNodesInParallel(t *testing.T) {
	t.Parallel()
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
	timeouts.Collector = 6 * time.Second
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
