// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"path"
	"regexp"
	"slices"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What libcni (invoke/find.go, raw_exec.go) and older kubelets say when a
// plugin's executable is not there or cannot run.
var (
	binaryMissing = fact.Say("a CNI plugin's executable is not found",
		`failed to find plugin "?(?P<plugin>[\w.-]+)"? in paths? \[?(?P<dir>[^\]"]*)`,
		`could not find (?:CNI )?plugin "?(?P<plugin>[\w.-]+)`,
		`unable to (?:find|locate) (?:CNI )?plugin "?(?P<plugin>[\w.-]+)`,
		`(?:fork/exec|stat|open|exec) "?(?P<dir>/[\w./-]*cni/bin)/(?P<plugin>[\w.-]+)"?: no such file or directory`,
		`(?P<dir>/[\w./-]*cni/bin)/(?P<plugin>[\w.-]+): (?:no such file or directory|not found)`,
		`exec: "(?:/[\w./-]*cni/bin/)?(?P<plugin>[\w.-]+)": (?:stat .*no such file|executable file not found).{0,80}(?:cni|network)`,
		`(?:cni|network).{0,200}exec: "(?P<plugin>[\w.-]+)": executable file not found in \$PATH`,
		`(?:cni|network) plugins? (?:binary |binaries |executable )?"?(?P<plugin>[\w.-]+)"? (?:is )?(?:not found|missing)`,
		`missing (?:the )?(?:CNI|loopback|portmap|bridge) plugins?`,
		`no such file or directory.{0,20}/opt/cni/bin`,
	)
	binaryBroken = fact.Say("a CNI plugin's executable cannot run",
		`(?:fork/exec|exec) (?P<dir>/[\w./-]*cni/bin)/(?P<plugin>[\w.-]+): (?:exec format error|permission denied|operation not permitted)`,
		`(?P<dir>/[\w./-]*cni/bin)/(?P<plugin>[\w.-]+): (?:cannot execute binary file|permission denied|is a directory)`,
	)
)

var _ = Register(Rule{
	Code:       CNIBinaryMissing,
	Title:      "a CNI plugin named in the configuration is not in the plugin directory",
	Hint:       "The configuration names plugins (bridge, loopback, portmap, host-local, the CNI's own) that the runtime executes from its bin directory.",
	Suppresses: []Code{CNIConfigMissing, CNIDaemonUnreachable, CoreDNSDown, SandboxStale, NotNetworkApplication, NotNetworkRuntime},
	Fix: []string{
		"ls -l /opt/cni/bin; crictl info | grep -i binDir   # on <node>: what is there, and where the runtime looks",
		"install the reference plugins (github.com/containernetworking/plugins) into that directory, or restart the CNI's pod on <node>, whose init container installs its own",
	},
	Refutes: "the file being there, executable and for this CPU architecture",
	Looks:   []fact.Sort{fact.KubeletLog, fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		var found []Finding
		said := without(current(f, f.Said(binaryMissing)), runtimesOwn)
		missing := cite(0.96, said)
		if plugin := arg(said, "plugin"); plugin != "" {
			missing.Title = fmt.Sprintf("the CNI plugin %q is not in %s", plugin, either(arg(said, "dir"), "the plugin directory"))
		}
		for _, gap := range missingBinaries(f) {
			missing.quote(gap.quote)
			missing.on(gap.node)
			missing.Confidence = max(missing.Confidence, 0.9)
			missing.direct = true
			missing.Title = fmt.Sprintf("the CNI plugin %q is not in %s", gap.plugin, gap.dir)
			missing.Refutes = "the file being there; looked for: the listing of " + gap.dir + " does not have it"
		}
		found = append(found, some(missing)...)
		broken := current(f, f.Said(binaryBroken))
		cannot := cite(0.9, broken)
		cannot.Title = fmt.Sprintf("the CNI plugin %q cannot be executed", arg(broken, "plugin"))
		return append(found, some(cannot)...)
	},
})

// runtimesOwn matches containerd at its start, about plugins of its own that it does
// without.
var runtimesOwn = regexp.MustCompile(`skip loading plugin`)

type gap struct {
	node, plugin, dir string
	quote             fact.Quote
}

// missingBinaries compares what the configuration in use names with the
// listings of the node's plugin directories.
func missingBinaries(f *fact.Facts) []gap {
	there := map[string][]string{}
	for _, d := range f.Dirs {
		if path.Base(d.Path) == "bin" {
			there[d.Node] = append(there[d.Node], d.Files...)
		}
	}
	var gaps []gap
	for _, d := range f.Dirs {
		config, known := inUse(f, d.Node)
		if path.Base(d.Path) != "bin" || !known {
			continue
		}
		for _, plugin := range config.Plugins {
			if !slices.Contains(there[d.Node], plugin) {
				gaps = append(gaps, gap{d.Node, plugin, d.Path, config.Find(`"` + plugin + `"`)})
			}
		}
	}
	return gaps
}

// inUse returns the configuration the runtime takes: the first by name.
func inUse(f *fact.Facts, node string) (fact.NetworkConfig, bool) {
	var best fact.NetworkConfig
	found := false
	for _, c := range f.Configs {
		if c.Node == node && c.Err == nil && (!found || path.Base(c.Path) < path.Base(best.Path)) {
			best, found = c, true
		}
	}
	return best, found
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
