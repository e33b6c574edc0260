// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// The nodes' CNI configurations are the same, in content and in name, but for
// what must differ: the node's name, its addresses and its pod ranges. Most nodes
// say what the configuration is; the others are named with the settings they have
// otherwise. Values are compared and not shown, for there may be credentials.
//
// A cluster whose node pools are meant to differ fails this; where that is so,
// -nodes judges one pool.
//
// Turns red with: sed -i 's/"hairpinMode": true/"hairpinMode": false/'
// /etc/cni/net.d/10-flannel.conflist (on a node)
var _ = check.Register(check.Check{
	ID:       "cni.config-same",
	Title:    "the CNI configuration is the same on every node",
	Level:    check.Required,
	Requires: []string{"cni.config-present"},
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		if len(env.Nodes) < 2 {
			return &check.NotApplicable{Lacks: "a second node to compare with"}
		}
		found := map[string]map[string]string{}
		err := nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.CNI),
			Judge: func(s *nodestate.State) error {
				n, err := s.Network()
				if err != nil {
					return err
				}
				var config any
				if err := json.Unmarshal(n.Config, &config); err != nil {
					return &check.Inconclusive{Node: s.Node.Name, Why: "the configuration could not be read", Err: err}
				}
				settings := map[string]string{"the file's name": path.Base(n.File)}
				flatten("", neutral(config, s.Node), settings)
				found[s.Node.Name] = settings
				return nil
			},
		})
		return errors.Join(err, odd(found))
	},
})

// flatten puts each setting of a configuration into settings by its path.
func flatten(at string, config any, settings map[string]string) {
	switch value := config.(type) {
	case map[string]any:
		for key, inner := range value {
			flatten(at+"."+key, inner, settings)
		}
	case []any:
		for i, inner := range value {
			flatten(fmt.Sprintf("%s[%d]", at, i), inner, settings)
		}
	default:
		settings[strings.TrimPrefix(at, ".")] = fmt.Sprint(value)
	}
}

// neutral is the configuration without what is the node's own.
func neutral(config any, n cluster.Node) any {
	switch value := config.(type) {
	case map[string]any:
		for key, inner := range value {
			value[key] = neutral(inner, n)
		}
	case []any:
		for i, inner := range value {
			value[i] = neutral(inner, n)
		}
	case string:
		if value == n.Name || ofNode(value, n) {
			return "the node's own"
		}
	}
	return config
}

// odd are failures for the nodes whose settings are not those of most.
func odd(found map[string]map[string]string) error {
	alike := map[string][]string{}
	for _, node := range slices.Sorted(maps.Keys(found)) {
		text := fmt.Sprint(found[node]) // maps print in the order of their keys
		alike[text] = append(alike[text], node)
	}
	var usual []string
	for _, nodes := range alike {
		if len(nodes) > len(usual) || len(nodes) == len(usual) && nodes[0] < usual[0] {
			usual = nodes
		}
	}
	var errs []error
	for node, settings := range found {
		if different := differences(settings, found[usual[0]]); len(different) > 0 {
			errs = append(errs, &check.Failure{
				Node: node, Wanted: fmt.Sprintf("the configuration of %s and %d others", usual[0], len(usual)-1),
				Observed: fmt.Sprintf("it differs in %q", different),
			})
		}
	}
	return errors.Join(errs...)
}

// differences are the settings that two configurations do not share.
func differences(a, b map[string]string) []string {
	var keys []string
	for key := range a {
		if other, ok := b[key]; !ok || other != a[key] {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
