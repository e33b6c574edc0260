// SPDX-License-Identifier: Apache-2.0

package report

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of framework/report anew")

func TestGolden(t *testing.T) {
	for name, run := range map[string]Run{"healthy": healthy(), "broken": brokenRun()} {
		dir := t.TempDir()
		if err := Write(dir, run); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "summary.txt"), []byte(Summary(run)), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"verdict.json", "report.json", "junit.xml", "summary.md", "report.html", "summary.txt"} {
			t.Run(name+"/"+file, func(t *testing.T) {
				got, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				compare(t, filepath.Join("testdata", name, file), string(got))
			})
		}
	}
}

// compare tells where got differs from the golden file.
func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v (go test ./framework/report -update writes it)", err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "(end)", "(end)"
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("%s:%d differs; if that is meant, run go test ./framework/report -update\n got %s\nwant %s", golden, i+1, g, w)
		}
	}
}
