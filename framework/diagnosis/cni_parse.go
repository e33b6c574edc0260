// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What libcni (conf.go, skel.go), the reference plugins and flanneld say of a
// configuration they cannot use.
var malformedConfig = fact.Say("a CNI configuration does not parse or misses fields",
	`error (?:loading|parsing|reading|validating) (?:CNI )?config(?:uration)?(?: list)?(?: file)? (?P<file>/\S+?):? `,
	`error loading CNI config`,
	`error parsing configuration(?: list)?:`,
	`failed to load CNI config(?: list)? file (?P<file>/\S+?):`,
	`CNI config list (?:in config file )?(?P<file>/\S+) has no networks`,
	`network type not found in (?P<file>/\S+)`,
	`failed to parse plugin config`,
	`error unmarshall network config`,
	`failed to (?:parse|load|unmarshal) (?:the )?(?:netconf|net conf|network config(?:uration)?|delegate config)\b`,
	`failed to load (?:bridge |flannel )?netconf`,
	`error parsing (?:netconf|subnet config)`,
	`couldn't parse network config`,
	`missing network name`, `invalid characters found in network name`,
	`IPAM config missing 'ipam' key`, `no IP ranges specified`, `invalid range set \d+`, `empty range set`,
	`"master" field is required`, `required prevResult missing`, `must be called as (?:a )?chained plugin`,
	`IPAM plugin returned missing IP config`, `please define a correct (?:IPv6)?Network parameter in the flannel config`,
	`subnet "[^"]*" specified in the flannel net config doesn't contain`,
	`invalid cni config`,
	`(?:conflist|\.conf|net-conf\.json|cni config)\S*:? .{0,120}(?:invalid character '|unexpected end of JSON input|cannot unmarshal)`,
	`failed to delegate (?:add|del): .{0,40}(?:invalid character '|cannot unmarshal)`,
	`error validating CNI config(?: list)?`,
)

// What libcni, plugins and daemons say when versions do not fit.
var incompatibleVersion = fact.Say("versions of the CNI, its plugins or Kubernetes do not fit together",
	`incompatible CNI versions`,
	`plugin \S+ does not support config version`,
	`unsupported CNI (?:result )?version`,
	`config(?:uration)? version "?[^"\s]*"? (?:is not supported|is unsupported|does not support the CHECK command)`,
	`cni ?version "?[^"\s]*"? (?:is )?(?:not supported|unsupported|unknown)`,
	`(?:plugin|config) version does not allow`,
	`cannot convert (?:from|result|version) .{0,60}(?:cni|result)`,
	`failed to convert (?:cached )?result`,
	`could not convert result to current version`,
	`CNI version \S+ does not support more than 1 address`,
	`invalid cniVersions? (?:type|entry)`, `invalid cniVersion `, `decoding version info`,
	`version [\x60']?GLIBC_[\d.]+'? not found`,
	`no matches for kind "(?:DaemonSet|Deployment|PodSecurityPolicy|ClusterRole|ClusterRoleBinding|CustomResourceDefinition)" in version`,
	`(?:calico|flannel|cilium|weave|antrea|multus).{0,200}the server could not find the requested resource`,
	`missing 'cniVersion'|cniVersion is (?:missing|required|empty)`,
)

// weaveAgent is Weave's plugin failing to reach its agent.
var weaveAgent = fact.Say("Weave's plugin cannot reach its agent",
	`127\.0\.0\.1:6784.{0,120}connection refused`,
)

// weaveBreakingRuntime is a containerd whose CNI library breaks Weave (Weave's
// own documentation: containerd 1.6.0 to 1.6.4 have CNI library 1.1.0).
var weaveBreakingRuntime = fact.Say("containerd 1.6.0 to 1.6.4 runs on the node",
	`containerd://1\.6\.[0-4]\b`, `containerd\S* +v?1\.6\.[0-4]\b`, `containerd(?:\.io)?[ :=-]+v?1\.6\.[0-4]\b`,
)

var _ = Register(Rule{
	Code:       CNIConfigMalformed,
	Title:      "a CNI configuration file does not parse or misses fields",
	Hint:       "libcni reads the first *.conf, *.conflist or *.json of the directory; one it cannot read leaves the node without network.",
	Suppresses: []Code{CNIConfigMissing, CNIDaemonUnreachable, CoreDNSDown, SandboxStale},
	Fix: []string{
		"for f in /etc/cni/net.d/*.conf*; do echo $f; jq . $f > /dev/null; done   # on <node>: names the file and the place",
		"kubectl -n <its namespace> delete pod <the CNI's pod on <node>>   # it writes its file again; remove files that are nobody's",
	},
	Refutes: "every file of the CNI configuration directory being valid JSON with name, cniVersion and type or plugins",
	Looks:   []fact.Sort{fact.KubeletLog, fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		found := cite(0.93, where(current(f, f.Said(malformedConfig)), func(s fact.Statement) bool {
			return (!firstGood(f, s.Node) || !reloadFailed.MatchString(s.Text)) && !ownRecord.MatchString(s.Text)
		}))
		if file := arg(f.Said(malformedConfig), "file"); file != "" && len(found.Evidence) > 0 {
			found.Title = "the CNI configuration " + file + " does not parse or misses fields"
		}
		for _, c := range f.Configs {
			if c.Err == nil || firstGood(f, c.Node) && len(found.Evidence) == 0 {
				continue
			}
			found.quote(c.Quote)
			found.on(c.Node)
			found.Confidence = 0.95
			found.direct = true
			found.Title = "the CNI configuration " + c.Path + " is not usable: " + c.Err.Error()
		}
		return some(found)
	},
})

// ownRecord matches a plugin that cannot read what it wrote down of a sandbox itself:
// on DEL, flannel's takes its delegate's configuration from there.
var ownRecord = regexp.MustCompile(`(?i)failed \(delete\): failed to parse netconf`)

// reloadFailed matches the runtime reading a file while it is being written.
var reloadFailed = regexp.MustCompile(`(?i)fs change event`)

// firstGood tells whether the configuration the runtime takes, the first by
// name, is good: others do no harm then.
func firstGood(f *fact.Facts, node string) bool {
	best := ""
	good := false
	for _, c := range f.Configs {
		if c.Node == node && (best == "" || c.Path < best) {
			best, good = c.Path, c.Err == nil
		}
	}
	return good
}

var _ = Register(Rule{
	Code:       CNIVersionIncompatible,
	Title:      "the versions of CNI configuration, plugin, runtime or Kubernetes do not fit together",
	Hint:       "A plugin speaks the CNI versions it was built with; a newer cniVersion in the configuration, or a newer CNI library in the runtime, leaves it out.",
	Suppresses: []Code{CNIConfigMissing, CNIConfigMalformed, CNIDaemonUnreachable, CNIDaemonCrashLoop},
	Fix: []string{
		`grep -H cniVersion /etc/cni/net.d/*; for p in /opt/cni/bin/*; do echo $p; echo '{"cniVersion":"1.0.0"}' | CNI_COMMAND=VERSION $p; done   # on <node>`,
		"upgrade the CNI (and its plugins in /opt/cni/bin) to a release made for this Kubernetes and runtime, or set cniVersion to one all plugins of the chain support",
	},
	Refutes: "each plugin's VERSION listing the configuration's cniVersion",
	Looks:   []fact.Sort{fact.KubeletLog, fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		found := some(cite(0.94, current(f, f.Said(incompatibleVersion))))
		agent, runtime := f.Said(weaveAgent), f.Said(weaveBreakingRuntime)
		if len(agent) > 0 && len(runtime) > 0 {
			weave := cite(0.9, append(runtime, agent...))
			weave.Title = "containerd 1.6.0 to 1.6.4 cannot run Weave Net's plugin (its CNI library 1.1.0 rejects it)"
			weave.Fix = []string{"upgrade containerd to 1.6.5 or later on <node>, then: systemctl restart containerd"}
			weave.Refutes = "weaver listening on 127.0.0.1:6784 (curl -s 127.0.0.1:6784/status) while the plugin still fails differently"
			found = append(found, weave)
		}
		return append(found, unsupported(f)...)
	},
})

// unsupported compares the cniVersion of each node's configuration with what
// the plugins it names answered they support.
func unsupported(f *fact.Facts) []Finding {
	var found []Finding
	for _, p := range f.Plugins {
		config, known := inUse(f, p.Node)
		version := either(config.CNIVersion, "0.1.0") // libcni's default (version.Current of 0.1)
		if !known || !contains(config.Plugins, p.Plugin) || contains(p.Supported, version) {
			continue
		}
		one := Finding{Confidence: 0.95, direct: true, Step: string(fact.CNIConfig),
			Title: fmt.Sprintf("%s on %s asks for CNI %s, which plugin %s does not support (it has %s)", config.Path, p.Node, version, p.Plugin, strings.Join(p.Supported, ", ")),
			Fix: []string{
				"sed -i 's/\"cniVersion\": *\"[^\"]*\"/\"cniVersion\": \"" + p.Supported[len(p.Supported)-1] + "\"/' " + config.Path + "   # on " + p.Node + "; or install a newer " + p.Plugin,
			}}
		one.on(p.Node)
		one.quote(config.Find("cniVersion"))
		one.quote(p.Quote)
		found = append(found, one)
	}
	return found
}
