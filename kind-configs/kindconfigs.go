// SPDX-License-Identifier: Apache-2.0

// Package kindconfigs holds the topologies of the clusters the harness creates
// and the CNI manifests it installs in them, as the files of this directory.
// It knows nothing of how a cluster is made of them.
package kindconfigs

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

//go:embed *.yaml cni/*.yaml
var files embed.FS

// Topology is a kind of cluster.
type Topology struct {
	// Cluster is the kind configuration (kind.x-k8s.io/v1alpha4).
	Cluster []byte
	// CNI is what makes the pods' network: "flannel" or "cilium".
	CNI string
	// Manifest installs it.
	Manifest []byte
}

// network is the second document of a topology's file. Without one it is
// flannel with VXLAN.
type network struct {
	// CNI is a file of cni without .yaml.
	CNI string `json:"cni"`
	// Backend is that of flannel's net-conf.json (flannel,
	// Documentation/backends.md).
	Backend json.RawMessage `json:"backend"`
}

// Load reads the topology of the file <name>.yaml. The error lists the
// topologies there are.
func Load(name string) (Topology, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return Topology{}, fmt.Errorf("find the topology %q: there are %s", name, strings.Join(Topologies(), ", "))
	}
	cluster, rest, _ := bytes.Cut(text, []byte("\n---\n"))
	n := network{CNI: "flannel", Backend: json.RawMessage(`{"Type":"vxlan"}`)}
	if err := yaml.UnmarshalStrict(rest, &n); err != nil {
		return Topology{}, fmt.Errorf("read the network of the topology %s: %w", name, err)
	}
	manifest, err := n.manifest(cluster)
	if err != nil {
		return Topology{}, fmt.Errorf("write the manifest of %s for the topology %s: %w", n.CNI, name, err)
	}
	return Topology{Cluster: cluster, CNI: n.CNI, Manifest: manifest}, nil
}

// manifest fills in what the CNI's manifest leaves open: the backend, and the pod
// ranges of a kind configuration.
func (n network) manifest(cluster []byte) ([]byte, error) {
	var kind struct {
		Networking struct {
			PodSubnet string `json:"podSubnet"`
		} `json:"networking"`
	}
	if err := yaml.Unmarshal(cluster, &kind); err != nil {
		return nil, err
	}
	open := map[string]string{"Backend": string(n.Backend), "IPv4": "", "IPv6": ""}
	for subnet := range strings.SplitSeq(kind.Networking.PodSubnet, ",") {
		family := "IPv4"
		if strings.Contains(subnet, ":") {
			family = "IPv6"
		}
		open[family] = subnet
	}
	parsed, err := template.New(n.CNI+".yaml").Option("missingkey=error").ParseFS(files, "cni/"+n.CNI+".yaml")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = parsed.Execute(&text, open)
	return text.Bytes(), err
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
