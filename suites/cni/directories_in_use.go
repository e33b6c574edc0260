// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// The directories of the runtime's own configuration are those the CNI installs
// into (the host paths its DaemonSet mounts), and what containerd has loaded is
// what is in the file: a runtime that looks elsewhere, or did not notice that the
// file changed, makes pods by another configuration than the one people see.
//
// containerd says what it has loaded, CRI-O and cri-dockerd do not. A CNI without
// a DaemonSet of its own mounts nothing that could be compared.
//
// Turns red with: mv /etc/cni/net.d/10-flannel.conflist /root; sleep 3; mv it
// back (on a node: containerd does not see a file renamed into the directory)
var _ = check.Register(check.Check{
	ID:       "cni.directories-in-use",
	Title:    "the runtime uses the CNI configuration that is installed",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		installed, err := mounts(ctx, env)
		if err != nil {
			return err
		}
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.CNI),
			Judge: func(s *nodestate.State) error {
				n, err := s.Network()
				if err != nil {
					return err
				}
				if n.Guessed {
					return &check.Inconclusive{Node: s.Node.Name, Why: "the runtime does not say which directories it uses"}
				}
				return errors.Join(elsewhere(s.Node.Name, n, installed), stale(s.Node.Name, n))
			},
		})
	},
})

// mounts are the host paths that the agent's DaemonSet mounts and that are for
// CNI by their names; none where there is no DaemonSet.
func mounts(ctx context.Context, env *check.Env) ([]string, error) {
	cni := env.Cluster.CNI
	if cni.DaemonSet == "" {
		return nil, nil
	}
	ds, err := env.Cluster.Client.AppsV1().DaemonSets(cni.Namespace).Get(ctx, cni.DaemonSet, metav1.GetOptions{})
	if err != nil {
		return nil, &check.Inconclusive{Why: "the agent's DaemonSet could not be read", Err: err}
	}
	var paths []string
	for _, v := range ds.Spec.Template.Spec.Volumes {
		if v.HostPath != nil {
			paths = append(paths, path.Clean(v.HostPath.Path))
		}
	}
	return paths, nil
}

// elsewhere is a failure for each kind of directory that the CNI installs into
// and the runtime does not look in. Mounting a parent is installing too.
func elsewhere(node string, n *nodestate.Network, installed []string) error {
	var errs []error
	for _, kind := range []struct {
		what   string
		suffix string
		used   []string
	}{{"configuration", "/net.d", []string{n.ConfDir}}, {"plugins", "/cni/bin", n.BinDirs}} {
		of := slices.DeleteFunc(slices.Clone(installed), func(p string) bool { return !strings.HasSuffix(p, kind.suffix) })
		if len(of) > 0 && !slices.ContainsFunc(of, func(p string) bool { return slices.Contains(kind.used, p) }) {
			errs = append(errs, &check.Failure{
				Node: node, Wanted: fmt.Sprintf("the CNI's %s in %s, where the runtime looks", kind.what, strings.Join(kind.used, ", ")),
				Observed: "its agent installs into " + strings.Join(of, ", "),
			})
		}
	}
	return errors.Join(errs...)
}

// stale is a failure where containerd has something else loaded than the file.
func stale(node string, n *nodestate.Network) error {
	if n.Runtime == nil || n.File == "" || len(n.Runtime.Loaded.Networks) == 0 && n.Runtime.LastLoad == "" {
		return nil
	}
	networks := slices.DeleteFunc(slices.Clone(n.Runtime.Loaded.Networks), usesLoopback)
	f := &check.Failure{Node: node, Wanted: "containerd to have loaded " + n.File}
	switch {
	case len(networks) == 0:
		f.Observed = "it has loaded no configuration: " + n.Runtime.LastLoad
	case strings.HasSuffix(n.File, ".conflist") && !sameJSON([]byte(networks[0].Config.Source), n.Config):
		f.Observed = fmt.Sprintf("it has loaded another one, named %s: the file changed since, and containerd did not notice", networks[0].Config.Name)
	default:
		return nil
	}
	return f
}
