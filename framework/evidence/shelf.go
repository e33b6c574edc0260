// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Shelf is what the bundles of one run share. Checks that fail at the same time
// over the same nodes want the same logs and tables: whoever comes first
// collects them, the others link to its files. Safe for concurrent use.
type Shelf struct {
	mu    sync.Mutex
	taken map[spot]*taken
}

// spot is a collector at work on a node.
type spot struct{ collector, node string }

// taken is what a collector had of a node. items and dir are set when done is
// closed.
type taken struct {
	started time.Time
	done    chan struct{}
	dir     string
	items   []Item
}

// take returns what is being or was taken there since then, or a new place for
// the caller to fill, in which case the second result is true.
func (s *Shelf) take(p spot, since time.Time) (*taken, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.taken[p]; ok && !t.started.Before(since) {
		return t, false
	}
	if s.taken == nil {
		s.taken = map[spot]*taken{}
	}
	t := &taken{started: time.Now(), done: make(chan struct{})}
	s.taken[p] = t
	return t, true
}

// shared has the collector's items of the node come from the shelf where they
// are fresh enough, and from collect where they are not.
func (run *collection) shared(ctx context.Context, w *Writer, collect func()) {
	if run.Shelf == nil {
		collect()
		return
	}
	t, mine := run.Shelf.take(spot{w.collector, w.node}, run.Fresh)
	if mine {
		defer close(t.done)
		collect()
		t.dir, t.items = run.bundle.dir, run.bundle.of(w.collector, w.node)
		return
	}
	select {
	case <-t.done:
		for _, item := range t.items {
			run.bundle.link(item, t.dir)
		}
	case <-ctx.Done():
		w.fail(w.begin("collector "+w.collector), fmt.Errorf("still being collected for another failure: %w", context.Cause(ctx)))
	}
}

// of are the items so far of a collector on a node.
func (b *bundle) of(collector, node string) []Item {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.manifest.Items), func(i Item) bool {
		return i.Collector != collector || i.Node != node
	})
}

// link records an item of the bundle in dir as this one's too. Its file is one
// on disk.
func (b *bundle) link(item Item, dir string) {
	if item.Shared == "" {
		item.Shared = filepath.Base(dir)
	}
	if item.Path == "" {
		b.add(item)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	from, to := filepath.Join(dir, filepath.FromSlash(item.Path)), filepath.Join(b.dir, filepath.FromSlash(item.Path))
	err := os.MkdirAll(filepath.Dir(to), 0o755)
	if err == nil {
		err = os.Link(from, to)
	}
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("share an item of collector %s: %w", item.Collector, err))
		item.Path, item.Status, item.Reason, item.Size = "", Unavailable, "not shared: "+err.Error(), 0
	}
	b.manifest.Items = append(b.manifest.Items, item)
}
