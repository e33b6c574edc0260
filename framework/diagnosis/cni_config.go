// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"path"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What runtimes say when they have no configuration: containerd's go-cni
// (cni.go, opts.go), dockershim and cri-dockerd (cni.go), cri-o's ocicni.
var (
	noNetworkConfig = fact.Say("the runtime finds no network configuration in its directory",
		`no network config found in (?P<dir>/[^\s:"',]+)`,
		`no networks found in (?P<dir>/[^\s:"',]+)`,
		`no CNI configuration file in (?P<dir>/[^\s:"',]+?)/?[.\s]`,
		`open (?P<dir>/[^\s:"']*cni/net\.d/?): no such file or directory`,
		`missing CNI default network`,
	)
	notInitialized = fact.Say("the runtime's network plugin is not initialized",
		`cni (?:plugin|config) (?:is )?(?:not initiali[sz]ed|uniniti?ali[sz]ed|not intiali[sz]ed)`,
		`cni plugin not initiali`,
		`failed to load cni during init`,
	)
	pluginNotReady = fact.Say("the runtime's network plugin is not ready",
		`NetworkPluginNotReady`,
		`network plugin is not ready`,
	)
	// configLoaded is containerd's own word, as crictl info prints it
	// (lastCNILoadStatus of internal/cri/server/status.go).
	configLoaded = fact.Say("the runtime has loaded its network configuration",
		`"lastCNILoadStatus": "OK"`,
	)
	noValidNetwork = fact.Say("the runtime finds no valid network in its directory",
		`no valid networks found in (?P<dir>[^\s:"']+)`,
	)
)

var _ = Register(Rule{
	Code:  CNIConfigMissing,
	Title: "the container runtime has no CNI configuration",
	Hint:  "The CNI's pod writes the file; without it the runtime reports the network plugin as not ready and starts no pod that needs an address.",
	Suppresses: []Code{CNIDaemonUnreachable, CoreDNSDown, KubeProxyDown, SandboxStale, NetworkPolicyBlocks,
		ServiceSelectorMismatch, DNSUpstreamFailure, EgressBlocked, NotNetworkApplication},
	Fix: []string{
		"kubectl get pods -A -o wide --field-selector spec.nodeName=<node>   # is the CNI's own pod there, and ready?",
		"kubectl -n <its namespace> delete pod <the CNI's pod on <node>>   # its init container writes the configuration again",
		"crictl info | grep -i confDir   # on <node>: is it the directory the CNI writes to?",
	},
	Refutes: "a file *.conf, *.conflist or *.json in the runtime's CNI configuration directory that parses",
	Looks:   []fact.Sort{fact.KubeletLog, fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		said := stillMissing(f, f.Said(noNetworkConfig, notInitialized))
		if len(said) == 0 {
			said = withoutConfig(f, stillMissing(f, f.Said(pluginNotReady)))
		}
		found := cite(0.95, said)
		if said != nil && said[0].Wording == pluginNotReady {
			found.Confidence = 0.6
		}
		empty := emptyConfigDirs(f)
		for _, dir := range empty {
			if len(found.Nodes) > 0 && !contains(found.Nodes, dir.Node) {
				continue
			}
			found.quote(dir.Quote)
			found.on(dir.Node)
			found.Confidence = max(found.Confidence, 0.7)
			found.direct = true
		}
		if len(found.Evidence) == 0 {
			return nil
		}
		found.Refutes = "a file *.conf, *.conflist or *.json in the runtime's CNI configuration directory that parses; " + lookedInDirs(f, empty)
		if loaded := configsThere(f, found.Nodes); len(loaded) > 0 && len(empty) == 0 {
			return notReloaded(found, loaded)
		}
		return []Finding{found}
	},
})

// The kubelet repeats every five seconds that the network is not ready, and the
// node turns NotReady within as many; its status reaches the API server a moment
// later.
const (
	notReadyRepeat = time.Minute
	statusDelay    = 20 * time.Second
)

// stillMissing keeps what holds at the time of the evidence.
func stillMissing(f *fact.Facts, sayings []fact.Saying) []fact.Saying {
	loaded := map[string]bool{}
	for _, s := range f.Said(configLoaded) {
		loaded[s.Node] = true
	}
	return where(lately(f, notReadyRepeat, sayings), func(s fact.Statement) bool {
		if loaded[s.Node] && !s.Time.IsZero() {
			return false
		}
		node, known := f.NodeByName(s.Node)
		return !f.Whole || s.Time.IsZero() || !known || !node.Ready || f.Now.Sub(s.Time) < statusDelay
	})
}

// withoutConfig drops "not ready" from nodes that have a configuration: there
// is another reason then.
func withoutConfig(f *fact.Facts, sayings []fact.Saying) []fact.Saying {
	return where(sayings, func(s fact.Statement) bool { return len(configsThere(f, []string{s.Node})) == 0 })
}

// emptyConfigDirs returns the nodes' configuration directories in which no file
// is a configuration, of nodes that have none elsewhere.
func emptyConfigDirs(f *fact.Facts) []fact.Dir {
	var empty []fact.Dir
	for _, d := range f.Dirs {
		if !strings.Contains(d.Path, "net.d") || len(configsThere(f, []string{d.Node})) > 0 {
			continue
		}
		none := true
		for _, name := range d.Files {
			none = none && !fact.IsNetworkConfig(name)
		}
		if none {
			empty = append(empty, d)
		}
	}
	return empty
}

// configsThere returns the good configurations found on the nodes, by content
// or by listing.
func configsThere(f *fact.Facts, nodes []string) []fact.NetworkConfig {
	var there []fact.NetworkConfig
	for _, c := range f.Configs {
		if c.Err == nil && contains(nodes, c.Node) {
			there = append(there, c)
		}
	}
	if len(there) > 0 {
		return there
	}
	for _, d := range f.Dirs {
		for _, name := range d.Files {
			if strings.Contains(d.Path, "net.d") && fact.IsNetworkConfig(name) && contains(nodes, d.Node) {
				there = append(there, fact.NetworkConfig{Node: d.Node, Path: path.Join(d.Path, name), Quote: d.Quote})
			}
		}
	}
	return there
}

func lookedInDirs(f *fact.Facts, empty []fact.Dir) string {
	switch {
	case len(empty) > 0:
		return "looked for: the listing of " + empty[0].Path + " has none"
	case len(f.Dirs) > 0:
		return "looked for: see the listing"
	}
	return "not looked for: no listing of the directory in this evidence"
}

// notReloaded is the case of a good file that the runtime does not use.
func notReloaded(found Finding, there []fact.NetworkConfig) []Finding {
	file := there[0].Path
	found.Title = "the container runtime did not load the CNI configuration that is there: " + file + " (" + strings.Join(found.Nodes, ", ") + ")"
	found.Fix = []string{
		"systemctl restart containerd   # on <node>; or:",
		"cp " + file + " /tmp/cni.copy && cat /tmp/cni.copy > " + file + "   # on <node>: containerd reloads on a write, not on a rename into the directory",
		"crictl info | grep -i confDir   # on <node>: is it the directory of that file?",
	}
	found.Refutes = "the runtime's CNI directory being another than " + path.Dir(file) + "; not looked for unless its configuration is in the evidence"
	found.quote(there[0].Quote)
	return []Finding{found}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}
