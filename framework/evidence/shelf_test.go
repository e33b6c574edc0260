// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestShelf has two checks fail at the same time over overlapping nodes, and a
// third one later.
func TestShelf(t *testing.T) {
	t.Parallel()
	root := brokenWorker(t)
	access := &fakeNodes{roots: map[string]string{"a": root, "b": root}}
	run, shelf, start := filepath.Join(t.TempDir(), "evidence"), new(Shelf), time.Now()
	request := func(check string, nodes ...string) Request {
		return Request{
			Cluster: newCluster(access, []string{"a", "b"}), Subject: Subject{Nodes: nodes, Since: start},
			Dir: filepath.Join(run, check), RunID: "run-1", Check: check, Shelf: shelf, Fresh: start,
		}
	}
	commands := func() int {
		access.mu.Lock()
		defer access.mu.Unlock()
		return len(access.argv)
	}
	alone := collect(t, Request{Cluster: newCluster(access, []string{"a", "b"}), Subject: Subject{Nodes: []string{"a", "b"}, Since: start}})
	cost := commands()

	var manifests [2]Manifest
	var both sync.WaitGroup
	both.Go(func() { manifests[0] = collect(t, request("pod.one", "a", "b")) })
	both.Go(func() { manifests[1] = collect(t, request("pod.two", "b", "a")) })
	both.Wait()
	// Each failure greets the nodes itself and, where it has one of the two collectors
	// that want it, asks for the runtime's configuration.
	own := 2 + 2
	if spent := commands() - cost; spent > cost+own {
		t.Errorf("two failures took %d commands, one takes %d", spent, cost)
	}
	bytes := int64(0)
	for i, check := range []string{"pod.one", "pod.two"} {
		if got, want := len(manifests[i].Items), len(alone.Items); got != want {
			t.Errorf("%s has %d items, alone it has %d", check, got, want)
		}
		for _, item := range manifests[i].Items {
			info, err := os.Stat(filepath.Join(run, check, item.Path))
			if item.Path != "" && (err != nil || info.Size() != item.Size) {
				t.Errorf("%s %s: %v, wanted %d bytes", check, item.Path, err, item.Size)
			}
			if item.Shared == "" {
				bytes += item.Size
			} else if item.Shared == check {
				t.Errorf("%s shares %s with itself", check, item.Path)
			}
		}
	}
	if counted := besides(request("pod.three")); counted != bytes {
		t.Errorf("the run's limit counts %d bytes, on disk are %d", counted, bytes)
	}

	late := request("pod.late", "a")
	late.Fresh = time.Now()
	for _, item := range collect(t, late).Items {
		if item.Shared != "" {
			t.Errorf("what was collected before the failure began is in its bundle: %s", item.Command)
		}
	}
}
