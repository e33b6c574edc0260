// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/evidence"
	"github.com/cniproof/cniproof/framework/report"
)

func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(args, &out)
	return out.String(), err
}

func TestShowAndRender(t *testing.T) {
	dir := t.TempDir()
	run := report.Run{
		ID: "x1", Started: time.Unix(1700000000, 0).UTC(), Complete: true, Cluster: report.Cluster{Name: "blue"},
		Results: []check.Result{{ID: "pod.hairpin", Area: "pod", Level: check.Required, Outcome: check.Failed, Reason: "wanted an echo, observed none"}},
	}
	if err := report.Write(dir, run); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, "show", dir)
	if err != nil || !strings.HasPrefix(out, "FAILURE: 1 failed (blue") || !strings.Contains(out, "wanted an echo, observed none") {
		t.Errorf("show: %v\n%s", err, out)
	}
	page := filepath.Join(dir, "report.html")
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "render", dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(page); err != nil {
		t.Errorf("render did not write the page: %v", err)
	}
	if _, err := command(t, "show", t.TempDir()); err == nil {
		t.Error("show of a directory without reports succeeded")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"show"}, {"steps", "more"}, {"judge"}} {
		if _, err := command(t, args...); err == nil || !strings.Contains(err.Error(), "usage:") {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestStepsTable(t *testing.T) {
	var out strings.Builder
	err := steps(&out, []evidence.DocumentedStep{
		{Collector: "kubelet-log", Title: "kubelet log", Step: evidence.Step{Command: "journalctl -u kubelet", Yields: "nodes/<node>/kubelet.log"}},
		{Collector: "kubelet-log", Title: "kubelet log", Step: evidence.Step{Command: "crictl info | jq .", Yields: ""}},
	})
	want := "| evidence | command | file in the bundle |\n|---|---|---|\n" +
		"| kubelet log | `journalctl -u kubelet` | `nodes/<node>/kubelet.log` |\n" +
		"|  | `crictl info \\| jq .` |  |\n"
	if err != nil || out.String() != want {
		t.Errorf("%v\n got %s\nwant %s", err, out.String(), want)
	}
}

// TestTablesOfTheProgram sees that what registers itself is really linked in.
func TestTablesOfTheProgram(t *testing.T) {
	for arg, want := range map[string]string{"checks": "`sandbox.", "steps": "journalctl", "scenarios": "`cni_config_removed`"} {
		if out, err := command(t, arg); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", arg, err, out)
		}
	}
}

// TestReadmeIsCurrent: documented checks, steps and scenarios are those that
// run. `go run ./framework/cmd/report readme README.md` cures it.
func TestReadmeIsCurrent(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := filled(string(document))
	if err != nil {
		t.Fatal(err)
	}
	if want != string(document) {
		t.Error("README.md is stale: run go run ./framework/cmd/report readme README.md")
	}
}
