// SPDX-License-Identifier: Apache-2.0

// Package kindconfigs holds the topologies of the clusters the harness creates
// and the CNI manifests it installs in them, as the files of this directory.
// It knows nothing of how a cluster is made of them.
package kindconfigs

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.yaml cni/*.yaml
var files embed.FS

// Topology returns the kind configuration (kind.x-k8s.io/v1alpha4) of the file
// <name>.yaml. The error lists the topologies there are.
func Topology(name string) ([]byte, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("find the topology %q: there are %s", name, strings.Join(Topologies(), ", "))
	}
	return text, nil
}

// Topologies returns the names of all topologies, sorted.
func Topologies() []string {
	paths, err := fs.Glob(files, "*.yaml")
	if err != nil {
		panic(err) // only a malformed pattern
	}
	for i, path := range paths {
		paths[i] = strings.TrimSuffix(path, ".yaml")
	}
	return paths
}

// CNI returns the manifest of the CNI of a topology. A topology that is named
// after a CNI gets that one ("cilium" and "cilium-ipv6" get cni/cilium.yaml),
// every other gets flannel.
func CNI(topology string) (name string, manifest []byte, err error) {
	name, _, _ = strings.Cut(topology, "-")
	if manifest, err = files.ReadFile("cni/" + name + ".yaml"); err == nil {
		return name, manifest, nil
	}
	name = "flannel"
	if manifest, err = files.ReadFile("cni/flannel.yaml"); err != nil {
		return "", nil, fmt.Errorf("read the flannel manifest: %w", err)
	}
	return name, manifest, nil
}
