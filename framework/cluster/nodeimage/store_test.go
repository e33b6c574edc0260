// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKeyOf(t *testing.T) {
	if got := keyOf("a", "bc"); got != keyOf("a", "bc") {
		t.Errorf("want the same key of the same parts, got %s", got)
	}
	for _, other := range [][]string{{"ab", "c"}, {"a", "bc", ""}, {"abc"}, {"bc", "a"}, nil} {
		if keyOf(other...) == keyOf("a", "bc") {
			t.Errorf(`want another key of %q than of "a", "bc", got the same`, other)
		}
	}
	// sha256sum of 8 bytes that say 1, "a", 8 bytes that say 2, "bc". Keys name
	// artifacts on people's disks: another hash would rebuild all of them.
	if got, want := keyOf("a", "bc"), "3fafa1cf2f19"; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}

func TestAnArtifactIsBuiltOnce(t *testing.T) {
	s := store{t.TempDir()}
	builds := 0
	build := func(dir string) error {
		builds++
		return os.WriteFile(filepath.Join(dir, "program"), []byte("built"), 0o755)
	}
	for range 2 {
		dir, err := s.artifact("etcd", keyOf("1"), build)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "program")); string(text) != "built" {
			t.Errorf("want the program in %s, got %q and %v", dir, text, err)
		}
	}
	if builds != 1 {
		t.Errorf("want one build, got %d", builds)
	}
}

func TestAFailedBuildLeavesNothing(t *testing.T) {
	s := store{t.TempDir()}
	broken := errors.New("compiler says no")
	_, err := s.artifact("etcd", keyOf("1"), func(dir string) error {
		os.WriteFile(filepath.Join(dir, "half"), nil, 0o644)
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("want the build's error, got %v", err)
	}
	if left := names(t, s.dir); len(left) != 0 {
		t.Errorf("want an empty store, got %v", left)
	}
	if _, err := s.artifact("etcd", keyOf("1"), func(string) error { return nil }); err != nil {
		t.Errorf("want the next build to work, got %v", err)
	}
}

func TestOldArtifactsGoAndOthersStay(t *testing.T) {
	s := store{t.TempDir()}
	build := func(name, key string) {
		t.Helper()
		dir, err := s.artifact(name, keyOf(key), func(string) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		used := time.Now().Add(-time.Hour) // what comes next was used later
		os.Chtimes(dir, used, used)
	}
	build("cni-plugins", "1") // its name starts like the other's
	build("cni", "1")
	build("cni", "2")
	if _, err := s.artifact("cni", keyOf("1"), nil); err != nil { // used again
		t.Fatal(err)
	}
	build("cni", "3")
	got := names(t, s.dir)
	for _, want := range []string{"cni-" + keyOf("1"), "cni-" + keyOf("3"), "cni-plugins-" + keyOf("1")} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s to stay, got %s", want, got)
		}
	}
	if gone := "cni-" + keyOf("2"); strings.Contains(got, gone) {
		t.Errorf("want %s to go, got %s", gone, got)
	}
}

func TestOneProcessBuildsAtATime(t *testing.T) {
	s := store{t.TempDir()}
	var log strings.Builder
	progress := newProgress(&log)
	unlock, err := s.lock(t.Context(), progress)
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.lock(impatient, progress); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want to wait until ctx ends, got %v", err)
	}
	if !strings.Contains(log.String(), "waiting for a build in another process") {
		t.Errorf("want to be told of the wait, got %q", log.String())
	}
	interrupted := filepath.Join(s.dir, scratchPrefix+"etcd-1")
	os.Mkdir(interrupted, 0o755)
	unlock()
	unlock, err = s.lock(t.Context(), progress)
	if err != nil {
		t.Fatalf("want the lock once it is free, got %v", err)
	}
	defer unlock()
	if _, err := os.Stat(interrupted); !os.IsNotExist(err) {
		t.Errorf("want what an interrupted build left to be removed, got %v", err)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}
