// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2" //nolint:revive // the field's idiom

	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/evidence"
	"github.com/cniproof/cniproof/framework/session"
)

// bundles are a round's, with directories relative to the reports in dir.
func bundles(round *session.Round, dir string) ([]Bundle, error) {
	byCheck, err := round.Bundles()
	if err != nil {
		return nil, err
	}
	var list []Bundle
	for _, b := range byCheck {
		rel, err := filepath.Rel(dir, b.Dir)
		if err != nil {
			return nil, err
		}
		bundle := Bundle{Check: b.Check, Dir: filepath.ToSlash(rel), Manifest: b.Manifest, Findings: b.Diagnosis.Findings}
		if u := b.Diagnosis.Unknown; u != nil {
			bundle.CollectNext = u.CollectNext
			for _, o := range u.RuledOut {
				bundle.RuledOut = append(bundle.RuledOut, fmt.Sprintf("%s: %s", o.Code, o.Why))
			}
		}
		for _, i := range b.Manifest.Items {
			// What cannot be read is in the manifest all the same.
			if text, err := os.ReadFile(filepath.Join(b.Dir, filepath.FromSlash(i.Path))); path.Dir(i.Path) == evidence.Differences && i.Note == "" && err == nil {
				bundle.Differences = append(bundle.Differences, Differences{i.Node, cut(string(text))})
			}
		}
		list = append(list, bundle)
	}
	slices.SortFunc(list, func(a, b Bundle) int { return strings.Compare(a.Check, b.Check) })
	return list, nil
}

// selection is what the run was limited to, "" when to nothing.
func selection(o *config.Options) string {
	var parts []string
	add := func(what string, values ...string) {
		if values = slices.DeleteFunc(values, func(v string) bool { return v == "" }); len(values) > 0 {
			parts = append(parts, what+" "+strings.Join(values, ", "))
		}
	}
	add("areas", slices.Clone(o.Areas)...)
	add("nodes", slices.Clone(o.Nodes)...)
	suite, _ := GinkgoConfiguration()
	add("label filter", suite.LabelFilter)
	add("focus", suite.FocusStrings...)
	add("skip", suite.SkipStrings...)
	return strings.Join(parts, "; ")
}

// rerun is the command that repeats the run, as a person would type it.
func rerun(o *config.Options) string {
	argv := []string{"go test ./suites/... -v -count=1"}
	add := func(name, value string) {
		if value != "" {
			argv = append(argv, "-"+name, value)
		}
	}
	add("kubeconfig", o.Kubeconfig)
	add("context", o.Context)
	add("probe-image", o.ProbeImage)
	add("areas", strings.Join(o.Areas, ","))
	add("nodes", strings.Join(o.Nodes, ","))
	add("egress-target", strings.Join(o.EgressTargets, ","))
	if u, err := url.Parse(o.EgressProxy); err == nil {
		add("egress-proxy", u.Redacted())
	}
	add("egress-no-proxy", strings.Join(o.EgressNoProxy, ","))
	if o.Strict {
		argv = append(argv, "-strict")
	}
	return strings.Join(argv, " ")
}

// version is the harness's own, as the Go tool recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return info.Main.Version
}
