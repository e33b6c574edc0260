// SPDX-License-Identifier: Apache-2.0

package diagnosis_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/evidence"
)

// TestBundlesAreUnderstood writes a manifest and a check's result with the types
// of the packages that write them: diagnosis reads them without importing those.
func TestBundlesAreUnderstood(t *testing.T) {
	at := time.Date(2026, 11, 22, 16, 50, 0, 0, time.UTC)
	tree := fstest.MapFS{}
	put := func(name string, v any) {
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		tree[name] = &fstest.MapFile{Data: data}
	}
	put("manifest.json", evidence.Manifest{Version: 1, Started: at, Subject: evidence.Subject{Since: at.Add(-time.Minute)},
		Items: []evidence.Item{{Path: "some/file.log", Collector: "kubelet-log", Node: "worker7", Status: evidence.Collected}}})
	put("check.json", check.Result{ID: "mtu.path", Area: "mtu", Outcome: check.Failed, Reason: "worker7: wanted a full-size packet delivered, observed none",
		Failures: []check.Failure{{Node: "worker7", Peer: "worker8", Pods: []string{"a/b"}, Wanted: "x", Observed: "y"}}})
	tree["some/file.log"] = &fstest.MapFile{Data: []byte("open /run/flannel/subnet.env: no such file or directory\n")}
	report := diagnosis.Diagnose(diagnosis.Source{FS: tree})
	if len(report.Findings) != 2 {
		t.Fatalf("%+v", report)
	}
	top, second := report.Findings[0], report.Findings[1]
	if top.Code != diagnosis.CNIDaemonUnreachable || strings.Join(top.Nodes, " ") != "worker7" || top.Step != "kubelet log" {
		t.Errorf("the manifest was not understood: %+v", top)
	}
	if second.Code != diagnosis.MTUMismatch || strings.Join(second.Nodes, " ") != "worker7" || !strings.Contains(second.Evidence[0].Text, "full-size") {
		t.Errorf("the check's result was not understood: %+v", second)
	}
}

// TestEveryCodeHasARule reads the constants of codes.go.
func TestEveryCodeHasARule(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ruled := map[string]diagnosis.Rule{}
	for _, r := range diagnosis.Rules() {
		ruled[string(r.Code)] = r
	}
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		code := strings.Trim(literal.Value, `"`)
		if code != strings.ToUpper(code) || strings.HasSuffix(code, "_") || code == "UNKNOWN" {
			return true
		}
		codes++
		r, known := ruled[code]
		if !known {
			t.Errorf("%s has no rule", code)
			return true
		}
		if r.Hint == "" || len(r.Fix) == 0 || r.Refutes == "" {
			t.Errorf("the rule of %s lacks a hint, a fix or what refutes it", code)
		}
		return true
	})
	if codes < 35 {
		t.Errorf("%d codes were found in codes.go; the test sees too little", codes)
	}
}
