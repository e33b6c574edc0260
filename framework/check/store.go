// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// store keeps results for the goroutines of this process and, where it has a
// directory, for the processes of the run: a result is <id>.json, whole or
// absent, and whoever works on it holds a lock on <id>.lock. The kernel drops
// that lock when its process dies, so that another can begin anew.
type store struct {
	dir string

	mu    sync.Mutex
	kept  map[string]Result
	turns map[string]chan struct{}
}

func newStore(dir string) (*store, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make the directory for results: %w", err)
		}
	}
	return &store{dir: dir, kept: map[string]Result{}, turns: map[string]chan struct{}{}}, nil
}

// get returns the result of id if there is one.
func (s *store) get(id string) (Result, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if res, ok := s.kept[id]; ok || s.dir == "" {
		return res, ok, nil
	}
	data, err := os.ReadFile(s.path(id, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, fmt.Errorf("read the result of %s: %w", id, err)
	}
	var res Result
	if err := json.Unmarshal(data, &res); err != nil {
		return Result{}, false, fmt.Errorf("read the result of %s in %s: %w", id, s.dir, err)
	}
	s.kept[id] = res
	return res, true, nil
}

// put keeps the result. The caller holds the lock of its ID.
func (s *store) put(res Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir != "" {
		data, err := json.MarshalIndent(res, "", "  ")
		if err != nil {
			return fmt.Errorf("write the result of %s: %w", res.ID, err)
		}
		// The lock makes this name ours alone.
		fresh := s.path(res.ID, ".json.new")
		if err := os.WriteFile(fresh, data, 0o644); err != nil {
			return fmt.Errorf("write the result of %s: %w", res.ID, err)
		}
		if err := os.Rename(fresh, s.path(res.ID, ".json")); err != nil {
			return fmt.Errorf("write the result of %s: %w", res.ID, err)
		}
	}
	s.kept[res.ID] = res
	return nil
}

// forget drops the results of ids.
func (s *store) forget(ids []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, id := range ids {
		delete(s.kept, id)
		if s.dir == "" {
			continue
		}
		if err := os.Remove(s.path(id, ".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("forget the result of %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// lock waits until nobody else works on id and returns what ends our turn.
func (s *store) lock(ctx context.Context, id string) (unlock func(), err error) {
	s.mu.Lock()
	turn, ok := s.turns[id]
	if !ok {
		turn = make(chan struct{}, 1)
		s.turns[id] = turn
	}
	s.mu.Unlock()
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	release := func() { <-turn }
	if s.dir == "" {
		return release, nil
	}
	file, err := lockFile(ctx, s.path(id, ".lock"))
	if err != nil {
		release()
		return nil, err
	}
	return func() {
		file.Close()
		release()
	}, nil
}

// lockPoll is how often a lock that another process holds is tried: flock(2)
// has no way to wait that ctx could end.
const lockPoll = 20 * time.Millisecond

// lockFile returns the file at path, locked until it is closed.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock a result: %w", err)
	}
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return file, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			file.Close()
			return nil, context.Cause(ctx)
		}
	}
}

func (s *store) path(id, suffix string) string { return filepath.Join(s.dir, id+suffix) }
