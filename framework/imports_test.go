// SPDX-License-Identifier: Apache-2.0

// Package framework_test holds the tests that are about the tree as a whole.
package framework_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/cniproof/cniproof/"

// bans are the directions imports must not take. Who is a list of package path
// prefixes below the module (an exact package when it ends with "$"), Unless
// those among them that may, and Imports what they must not import.
var bans = []struct {
	who, unless, imports []string
	why                  string
}{
	{
		who:     []string{"fixtures", "kind-configs"},
		unless:  []string{"framework/config"},
		imports: []string{module + "framework", module + "suites", module + "scenarios"},
		why:     "fixtures are what the framework deploys: they must build and be tested without it",
	},
	{
		who:     []string{"framework"},
		unless:  []string{"framework/cmd"},
		imports: []string{module + "suites", module + "scenarios"},
		why:     "checks and scenarios register themselves; a framework that knows them is a central list to edit",
	},
	{
		who:     []string{"suites"},
		imports: []string{module + "scenarios", module + "framework/report", module + "framework/evidence", module + "framework/diagnosis", module + "framework/session", module + "framework/scenario"},
		why:     "a check makes a claim true or false; what is collected, concluded and written of it is not its business",
	},
	{
		who:     []string{""},
		unless:  []string{"framework/report"},
		imports: []string{"github.com/onsi/ginkgo", "github.com/onsi/gomega"},
		why:     "errors are outcomes and assertions live only at the edge, so that a scenario can run a check and expect it to fail",
	},
	{
		who:     []string{""},
		unless:  []string{"framework/cluster"},
		imports: []string{"sigs.k8s.io/kind"},
		why:     "only framework/cluster knows where clusters come from; everything else works on any cluster",
	},
	{
		who:     []string{"framework/diagnosis", "fixtures/probe/job"},
		imports: []string{"k8s.io/client-go", module + "framework/cluster", module + "framework/evidence", module + "framework/session"},
		why:     "diagnosis is a pure function of files, and the wire format must keep the probe small",
	},
	{
		who:     []string{"framework/check", "framework/evidence", "framework/cluster", "framework/probe"},
		imports: []string{module + "framework/session", module + "framework/report", module + "framework/scenario"},
		why:     "a run is put together in session and told in report; the parts do not know the whole",
	},
}

// TestImportsPointOneWay keeps data flowing one way: suites and scenarios use
// the framework, the framework uses fixtures, nothing points back. Imports of
// test files are free.
func TestImportsPointOneWay(t *testing.T) {
	packages := list(t)
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages of the module; the test sees nothing", len(packages))
	}
	for _, p := range packages {
		path := strings.TrimPrefix(p.ImportPath, strings.TrimSuffix(module, "/"))
		path = strings.TrimPrefix(path, "/")
		for _, ban := range bans {
			if !under(path, ban.who) || under(path, ban.unless) {
				continue
			}
			for _, imported := range p.Imports {
				if !under(imported, ban.imports) {
					continue
				}
				if under(strings.TrimPrefix(imported, module), ban.unless) {
					continue
				}
				t.Errorf("%s imports %s: %s", path, imported, ban.why)
			}
		}
	}
}

// TestAreaPackagesHaveNoTests: go test ./suites/... -kubeconfig X gives the
// flag to the test binary of every package under suites, and one that does not
// define it would fail the run.
func TestAreaPackagesHaveNoTests(t *testing.T) {
	for _, p := range list(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(path, "suites/") && len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 {
			t.Errorf("%s has test files: unit tests of checks belong in suites/ itself, which defines the flags", path)
		}
	}
}

type pkg struct {
	ImportPath                         string
	Imports, TestGoFiles, XTestGoFiles []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestGoFiles,XTestGoFiles", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s...: %v", module, err)
	}
	var packages []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		packages = append(packages, p)
	}
}

func under(path string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/") {
			return true
		}
	}
	return false
}
