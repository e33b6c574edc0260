// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// Every plugin the configuration names (chained, IPAM and delegated ones, what
// flannel delegates to without being told, and containerd's own loopback) is in a
// plugin directory of the runtime, may be executed, and says when asked with
// CNI_COMMAND=VERSION that it supports the configuration's cniVersion.
//
// A plugin is run for its version only, as the runtime does before each ADD. One
// that needs more to answer, or is of another architecture, does not start as
// the runtime's would not.
//
// Turns red with: chmod -x /opt/cni/bin/portmap, and with sed -i s/0.3.1/1.1.0/
// /etc/cni/net.d/10-flannel.conflist, which flannel's plugin does not know
// (on a node)
var _ = check.Register(check.Check{
	ID:       "cni.plugins-executable",
	Title:    "every plugin of the configuration is there, runs and supports its cniVersion",
	Level:    check.Required,
	Requires: []string{"cni.config-present"},
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Plugins),
			Judge: func(s *nodestate.State) error {
				n, err := s.Network()
				if err != nil {
					return err
				}
				list, err := parse(n)
				if err != nil {
					return &check.Inconclusive{Node: s.Node.Name, Why: n.File + " could not be read", Err: err}
				}
				var errs []error
				for _, name := range plugins(n, list) {
					wanted := fmt.Sprintf("plugin %s of %s to support CNI %s", name, n.File, list.CNIVersion)
					if wrong := unfit(n, name, list.CNIVersion); wrong != "" {
						errs = append(errs, &check.Failure{Node: s.Node.Name, Wanted: wanted, Observed: wrong})
					}
				}
				return errors.Join(errs...)
			},
		})
	},
})

// plugins are the names of those that run when a pod starts.
func plugins(n *nodestate.Network, list *libcni.NetworkConfigList) []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, p := range list.Plugins {
		add(p.Network.Type)
		add(p.Network.IPAM.Type)
		if p.Network.Type == "flannel" {
			// meta-plugin flannel, README: delegate.type and its ipam.
			add(delegate(p.Bytes))
			add("host-local")
		}
	}
	if n.Runtime != nil && slices.ContainsFunc(n.Runtime.Loaded.Networks, usesLoopback) {
		add("loopback")
	}
	return names
}

// unfit is what is wrong with a plugin, empty when nothing is.
func unfit(n *nodestate.Network, name, cniVersion string) string {
	p, ok := n.Plugins[name]
	switch {
	case !ok:
		return "it is not in " + strings.Join(n.BinDirs, ", ")
	case p.Code == 126 && p.Answer == "":
		return p.Path + " may not be executed"
	case p.Code != 0:
		return fmt.Sprintf("%s ends with exit code %d: %s", p.Path, p.Code, p.Answer)
	}
	info, err := new(version.PluginDecoder).Decode([]byte(p.Answer))
	if err != nil {
		return fmt.Sprintf("%s answers what is no version: %s", p.Path, p.Answer)
	}
	if cniVersion == "" {
		cniVersion = "0.1.0" // CNI specification 0.2.0: where there is none
	}
	if !slices.Contains(info.SupportedVersions(), cniVersion) {
		return fmt.Sprintf("%s supports %s", p.Path, strings.Join(info.SupportedVersions(), ", "))
	}
	return ""
}
