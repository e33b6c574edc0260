// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// TestSweep: a second run in the same directory must not find the results of the
// first, and must leave alone what is not a run's.
func TestSweep(t *testing.T) {
	c := check.Default.Checks()
	if len(c) == 0 {
		check.Register(check.Check{ID: "pod.test-sweep", Title: "a test", Level: check.Required, Run: func(context.Context, *check.Env) error { return nil }})
		c = check.Default.Checks()
	}
	dir := t.TempDir()
	write := func(name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ours := []string{"results/" + c[0].ID + ".json", "evidence/" + c[0].ID + "/manifest.json", "evidence/" + c[0].ID + "/nodes/a/kubelet.log"}
	theirs := []string{"results/mine.json", "evidence/mine/manifest.json", "report.pdf"}
	for _, name := range append(ours, theirs...) {
		write(name)
	}
	if _, err := New(Input{Options: &config.Options{Artifacts: dir}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range ours {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range theirs {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A process that joins a run finds its results.
	write(ours[0])
	if _, err := New(Input{Options: &config.Options{Artifacts: dir}, State: &State{Dir: dir}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ours[0])); err != nil {
		t.Error("joining a run removed its results")
	}
}
