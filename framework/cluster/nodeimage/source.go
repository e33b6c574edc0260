// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/cniproof/cniproof/framework/config"
)

// sources are what a node image is made from, apart from what apt and the Go module
// proxy serve.
type sources struct {
	components string // kind-configs/node-image of this module
	kindFiles  string // images/base/files of the kind module
	kind       string // its version
	goVersion  string
}

const (
	thisModule = "github.com/cniproof/cniproof"
	kindModule = "sigs.k8s.io/kind"
)

// findSources asks the go command, which works in any directory of this module.
func findSources(ctx context.Context) (sources, error) {
	text, err := command{argv: []string{"go", "list", "-m", "-json=Path,Version,Dir", thisModule, kindModule}}.run(ctx)
	if err != nil {
		return sources{}, &config.Problem{
			What: "a node image can only be looked up and built inside a clone of " + thisModule,
			Do:   "run this in one, or name an image",
			Err:  err,
		}
	}
	modules, err := parseModules(text)
	if err != nil {
		return sources{}, err
	}
	goVersion, err := command{argv: []string{"go", "env", "GOVERSION"}}.run(ctx)
	if err != nil {
		return sources{}, fmt.Errorf("ask for the version of Go: %w", err)
	}
	return sources{
		components: filepath.Join(modules[thisModule].Dir, "kind-configs", "node-image"),
		kindFiles:  filepath.Join(modules[kindModule].Dir, "images", "base", "files"),
		kind:       modules[kindModule].Version,
		goVersion:  strings.TrimSpace(goVersion),
	}, nil
}

// ownFiles are put into the nodes beside kind's.
func (s sources) ownFiles() string { return filepath.Join(s.components, "files") }

// iptablesWrapper stands in for iptables in the pods' images.
func (s sources) iptablesWrapper() string {
	return filepath.Join(s.components, "proxy", "iptables-wrapper")
}

// module is what "go list -m -json" says of one.
type module struct {
	Path, Version, Dir string
}

func parseModules(text string) (map[string]module, error) {
	modules := map[string]module{}
	for decoder := json.NewDecoder(strings.NewReader(text)); ; {
		var m module
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return modules, nil
		}
		if err != nil {
			return nil, fmt.Errorf("parse what go list says of the modules: %w", err)
		}
		if m.Dir == "" {
			return nil, fmt.Errorf("find the source of the module %s: it is not downloaded; run \"go mod download %s\"", m.Path, m.Path)
		}
		modules[m.Path] = m
	}
}

// compareMinors orders "1.9" before "1.36".
func compareMinors(a, b string) int { return semver.Compare("v"+a, "v"+b) }
