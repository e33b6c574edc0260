// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// manifestName is the file that lists what a bundle holds and lacks.
const manifestName = "manifest.json"

// smallest is the room, in bytes, below which an item is not begun.
const smallest = 1 << 10

// bundle is a directory being filled. Safe for concurrent use.
type bundle struct {
	dir    string
	limits Limits

	mu       sync.Mutex
	manifest Manifest
	left     int64  // bytes that may still be written
	scarce   string // whose limit that is
	closed   bool
	errs     []error
}

// newBundle makes the directory and a first manifest, so that a run that is
// killed leaves a readable bundle.
func newBundle(r Request) (*bundle, error) {
	b := &bundle{
		dir: r.Dir, limits: r.Limits,
		manifest: Manifest{Version: 1, RunID: r.RunID, Check: r.Check, Subject: r.Subject, Started: time.Now(), Items: []Item{}},
	}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the bundle's directory: %w", err)
	}
	b.left, b.scarce = r.Limits.Bundle, "bundle"
	if share := max(r.Limits.Run-besides(r), 0) / 4; share < b.left {
		b.left, b.scarce = share, "run"
	}
	b.limits.Item = min(r.Limits.Item, max(b.left/4, smallest))
	return b, b.write()
}

// besides is how many bytes the run's other bundles have.
func besides(r Request) int64 {
	manifests, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Clean(r.Dir)), "*", manifestName))
	var sum int64
	for _, path := range manifests {
		if filepath.Dir(path) == filepath.Clean(r.Dir) {
			continue
		}
		m, err := readManifest(path)
		if err != nil || m.RunID != r.RunID {
			continue // not this run's
		}
		for _, item := range m.Items {
			if item.Shared == "" { // counted where it was collected
				sum += item.Size
			}
		}
	}
	return sum
}

// add records an item that has no file.
func (b *bundle) add(item Item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.manifest.Items = append(b.manifest.Items, item)
	}
}

// store writes an item's file, as far as the bundle has room, and records it.
func (b *bundle) store(item Item, content []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	if int64(len(content)) > b.left {
		if b.left < smallest {
			item.Path, item.Status, item.Reason = "", Unavailable, fmt.Sprintf("not kept: the %s's limit of bytes is used up", b.scarce)
			b.manifest.Items = append(b.manifest.Items, item)
			return
		}
		c := &cutter{limit: int(b.left) - smallest/2, telling: fact.Telling()}
		_, _ = c.Write(content)
		content, item.Reason = c.kept()
		item.Truncated = true
	}
	file := filepath.Join(b.dir, filepath.FromSlash(item.Path))
	if !filepath.IsLocal(filepath.FromSlash(item.Path)) || slices.ContainsFunc(b.manifest.Items, func(i Item) bool { return i.Path == item.Path }) {
		b.errs = append(b.errs, fmt.Errorf("collector %s: write %q: wanted a new path inside the bundle", item.Collector, item.Path))
		return
	}
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, content, 0o644)
	}
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("write an item of collector %s: %w", item.Collector, err))
		item.Path, item.Status, item.Reason = "", Unavailable, "not written: "+err.Error()
		content = nil
	}
	item.Size = int64(len(content))
	b.left -= item.Size
	b.manifest.Items = append(b.manifest.Items, item)
}

// write puts manifest.json in place, whole or not at all.
func (b *bundle) write() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.SortStableFunc(b.manifest.Items, func(x, y Item) int {
		return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Collector, y.Collector), cmp.Compare(x.Path, y.Path), cmp.Compare(x.Command, y.Command))
	})
	data, err := json.MarshalIndent(b.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the manifest: %w", err)
	}
	file, err := os.CreateTemp(b.dir, manifestName+".")
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	_, err = file.Write(append(data, '\n'))
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(b.dir, manifestName))
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("write the manifest: %w", err)
	}
	return nil
}

// problem is an error for Collect to return.
func (b *bundle) problem(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errs = append(b.errs, err)
}

// close writes the last manifest; nothing is recorded after it.
func (b *bundle) close() (Manifest, error) {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	err := b.write()
	return b.manifest, errors.Join(append(b.errs, err)...)
}

// Open reads a bundle: its files and its manifest.
func Open(dir string) (fs.FS, Manifest, error) {
	m, err := readManifest(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, Manifest{}, fmt.Errorf("open the bundle %s: %w", dir, err)
	}
	return os.DirFS(dir), m, nil
}

func readManifest(path string) (Manifest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("parse %s: %w", manifestName, err)
	}
	if m.Version != 1 {
		return Manifest{}, fmt.Errorf("read %s: wanted version 1, observed %d", manifestName, m.Version)
	}
	return m, nil
}

// fileName makes text one element of a path.
func fileName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, text)
	if strings.Trim(name, ".") == "" {
		return "_" + name
	}
	return name
}
