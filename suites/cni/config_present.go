// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/utils"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// In the directory where the runtime says it looks there is a CNI configuration,
// and the first by name, which is the one that counts, is one that libcni reads:
// valid JSON, a name, a cniVersion of the CNI specification, a type for each
// plugin; a file whose name ends in .conflist has a list of plugins and one that
// ends in .conf has one.
//
// Versions beyond the library's own are left to the plugins, which are asked by
// cni.plugins-executable. A file that the runtime has not read since is
// cni.directories-in-use's claim.
//
// Turns red with: mv /etc/cni/net.d/10-flannel.conflist /root, and with
// echo '{"name":"x","plugins":[{}]}' > /etc/cni/net.d/00-x.conflist (on a node)
var _ = check.Register(check.Check{
	ID:       "cni.config-present",
	Title:    "the runtime finds a valid CNI configuration on every node",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.CNI),
			Judge: func(s *nodestate.State) error {
				n, err := s.Network()
				if err != nil {
					return err
				}
				if n.File == "" {
					return absent(s, n)
				}
				if _, err := parse(n); err != nil {
					return &check.Failure{Node: s.Node.Name, Wanted: "a valid CNI configuration in " + n.File, Observed: err.Error()}
				}
				return nil
			},
		})
	},
})

// absent is the outcome where the runtime's directory has no configuration.
func absent(s *nodestate.State, n *nodestate.Network) error {
	f := &check.Failure{Node: s.Node.Name, Wanted: "a file *.conf, *.conflist or *.json in " + n.ConfDir, Observed: "none there"}
	if len(n.Files) > 0 {
		f.Observed = "none there, but " + strings.Join(n.Files, ", ")
	}
	if n.Guessed {
		return &check.Inconclusive{Node: s.Node.Name, Why: "the runtime does not say where it looks for CNI configuration, and " + n.ConfDir + " has none"}
	}
	return f
}

// parse reads the configuration as containerd and CRI-O do.
func parse(n *nodestate.Network) (*libcni.NetworkConfigList, error) {
	list, err := read(path.Ext(n.File), n.Config)
	if err != nil {
		return nil, err
	}
	if err := utils.ValidateNetworkName(list.Name); err != nil {
		return nil, fmt.Errorf("name %q: %s", list.Name, err.Msg)
	}
	if len(list.Plugins) == 0 {
		return nil, errors.New("it names no plugin")
	}
	if list.CNIVersion != "" && !specified(list.CNIVersion) {
		return nil, fmt.Errorf("cniVersion %q is none of the CNI specification's (%s)", list.CNIVersion, strings.Join(version.All.SupportedVersions(), ", "))
	}
	return list, nil
}

func read(extension string, config []byte) (*libcni.NetworkConfigList, error) {
	if extension == ".conflist" {
		return libcni.NetworkConfFromBytes(config)
	}
	conf, err := libcni.NetworkPluginConfFromBytes(config)
	if err != nil {
		var list struct{ Plugins []any }
		if json.Unmarshal(config, &list) == nil && len(list.Plugins) > 0 {
			return nil, fmt.Errorf("it is a list of plugins and its name ends in %s, not .conflist: %w", extension, err)
		}
		return nil, err
	}
	return libcni.ConfListFromConf(conf)
}

// specified tells whether the version is one of the specification, or may be one
// of a later edition than this library knows.
func specified(v string) bool {
	if slices.Contains(version.All.SupportedVersions(), v) {
		return true
	}
	later, err := version.GreaterThan(v, version.Current())
	return err == nil && later
}
