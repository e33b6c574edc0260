// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// keep is how many artifacts of one name stay: going back and forth between two
// versions costs no builds.
const keep = 2

// store keeps what was built, a directory per artifact, named by the artifact and
// the key of what it was built from. An artifact is there whole or not at all.
type store struct {
	dir string
}

// keyOf returns a short hash of the parts. Each part counts with its length, so that
// "a","bc" and "ab","c" differ.
func keyOf(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		hash.Write(size[:])
		hash.Write([]byte(part))
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

// artifact returns the directory of name with this key. When there is none, build
// fills a scratch directory, which becomes the artifact when build returns nil.
func (s store) artifact(name, key string, build func(dir string) error) (string, error) {
	final := filepath.Join(s.dir, name+"-"+key)
	if _, err := os.Stat(final); err == nil {
		now := time.Now()
		return final, os.Chtimes(final, now, now) // prune goes by the last use
	}
	scratch, err := os.MkdirTemp(s.dir, scratchPrefix+name+"-")
	if err != nil {
		return "", fmt.Errorf("create a directory to build %s in: %w", name, err)
	}
	defer os.RemoveAll(scratch)
	if err := build(scratch); err != nil {
		return "", err
	}
	if err := os.Chmod(scratch, 0o755); err != nil { // MkdirTemp hides it from others
		return "", fmt.Errorf("make the artifact %s readable: %w", name, err)
	}
	if err := os.Rename(scratch, final); err != nil {
		return "", fmt.Errorf("keep the artifact %s: %w", name, err)
	}
	s.prune(name)
	return final, nil
}

// prune removes all but the most recently used artifacts of name. What cannot be
// removed stays: it costs disk space only.
func (s store) prune(name string) {
	type artifact struct {
		path string
		used time.Time
	}
	var found []artifact
	paths, _ := filepath.Glob(filepath.Join(s.dir, name+"-*"))
	for _, path := range paths {
		key := strings.TrimPrefix(filepath.Base(path), name+"-")
		info, err := os.Stat(path)
		if err != nil || len(key) != len(keyOf()) || strings.Contains(key, "-") {
			continue // gone, or an artifact with a longer name
		}
		found = append(found, artifact{path, info.ModTime()})
	}
	slices.SortFunc(found, func(a, b artifact) int { return cmp.Compare(b.used.UnixNano(), a.used.UnixNano()) })
	for _, old := range found[min(keep, len(found)):] {
		os.RemoveAll(old.path)
	}
}

const scratchPrefix = ".scratch-"

// lock makes this process the only one that builds, waiting for another that does.
// It removes what interrupted builds left.
func (s store) lock(ctx context.Context, log *progress) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the node image builder: %w", err)
	}
	take := func() error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
	if err = take(); errors.Is(err, syscall.EWOULDBLOCK) {
		err = log.step(ctx, "waiting for a build in another process", func(ctx context.Context) error {
			return poll(ctx, take)
		})
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	leftovers, _ := filepath.Glob(filepath.Join(s.dir, scratchPrefix+"*"))
	for _, path := range leftovers {
		os.RemoveAll(path)
	}
	return func() { file.Close() }, nil
}

// poll calls take until it is not refused for being too early, or ctx ends.
func poll(ctx context.Context, take func() error) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := take()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
