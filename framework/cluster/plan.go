// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/cniproof/cniproof/framework/cluster/engine"
	"github.com/cniproof/cniproof/framework/cluster/nodeimage"
	"github.com/cniproof/cniproof/framework/config"
	kindconfigs "github.com/cniproof/cniproof/kind-configs"
)

// recipe is part of every inputs hash: raise it when clusters are made otherwise
// from the same files.
const recipe = "1"

// plan is all a cluster is made of.
type plan struct {
	// kind is the topology with the patches this host needs, families those of
	// its pods.
	kind     []byte
	families []corev1.IPFamily
	// cni is the name and manifest the manifest of what is installed; images are
	// those it names where they are neither in the node image nor pulled.
	cni      string
	manifest []byte
	images   nodeimage.Archive
	image    nodeimage.Image
	patches  []string
	// inputs is the hash of all of it.
	inputs string
}

// host is what of this machine decides how nodes are configured.
type host struct {
	cgroupV1    bool
	missingCaps []string
}

func readHost(ctx context.Context) (host, error) {
	version, err := engine.Docker(ctx, "info", "--format", "{{.CgroupVersion}}")
	if err != nil {
		return host{}, fmt.Errorf("ask the engine for its cgroup version: %w", err)
	}
	missing, err := engine.MissingCaps()
	if err != nil {
		return host{}, err
	}
	return host{cgroupV1: version == "1", missingCaps: missing}, nil
}

// cgroupV1Patch lets the kubelet run on cgroup v1: since Kubernetes 1.35 it
// refuses to by default (KEP-5573).
const cgroupV1Patch = `kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
failCgroupV1: false
`

// oomScorePatches keep containerd from lowering oom_score_adj below its own,
// which takes CAP_SYS_RESOURCE. The option moved with containerd's configuration
// version 3; kind applies a patch where the version it names is the file's.
var oomScorePatches = []string{
	"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nrestrict_oom_score_adj = true\n",
	"version = 3\n[plugins.\"io.containerd.cri.v1.runtime\"]\nrestrict_oom_score_adj = true\n",
}

// patch returns a topology with what the host needs, and the names of that.
func (h host) patch(cluster v1alpha4.Cluster) ([]byte, []string, error) {
	var names []string
	if h.cgroupV1 {
		cluster.KubeadmConfigPatches = append(cluster.KubeadmConfigPatches, cgroupV1Patch)
		names = append(names, "cgroup-v1")
	}
	if len(h.missingCaps) > 0 {
		cluster.ContainerdConfigPatches = append(cluster.ContainerdConfigPatches, oomScorePatches...)
		names = append(names, "missing-capabilities")
	}
	patched, err := yaml.Marshal(cluster)
	return patched, names, err
}

// newPlan puts together what a cluster of the options is made of. It gets the
// node image, which may take many minutes the first time.
func newPlan(ctx context.Context, o KindOptions) (plan, error) {
	if !slices.Contains(kindconfigs.Topologies(), o.Topology) {
		return plan{}, &config.Problem{What: fmt.Sprintf("there is no topology %q", o.Topology), Do: "use one of " + strings.Join(kindconfigs.Topologies(), ", ")}
	}
	topology, err := kindconfigs.Load(o.Topology)
	if err != nil {
		return plan{}, err
	}
	var cluster v1alpha4.Cluster
	if err := yaml.UnmarshalStrict(topology.Cluster, &cluster); err != nil {
		return plan{}, fmt.Errorf("parse the topology: %w", err)
	}
	p := plan{cni: topology.CNI, manifest: topology.Manifest, families: families(prefixes(cluster.Networking.PodSubnet))}
	h, err := readHost(ctx)
	if err != nil {
		return plan{}, err
	}
	if p.kind, p.patches, err = h.patch(cluster); err != nil {
		return plan{}, err
	}
	p.image, err = nodeimage.Ensure(ctx, nodeimage.Options{Mode: o.NodeImage, Kubernetes: o.Kubernetes, Log: o.Log})
	if err != nil {
		return plan{}, fmt.Errorf("get a node image: %w", err)
	}
	id, err := engine.Docker(ctx, "image", "inspect", "--format", "{{.Id}}", p.image.Ref)
	if err != nil {
		return plan{}, fmt.Errorf("identify the node image: %w", err)
	}
	if p.cni == "cilium" && p.image.HasFlannel {
		// A node image from here means that there is no registry for this one either.
		if p.images, err = nodeimage.Cilium(ctx, o.Log); err != nil {
			return plan{}, fmt.Errorf("get the images of %s: %w", p.cni, err)
		}
	}
	p.inputs = hash(recipe, string(p.kind), string(p.manifest), id, p.images.Key)
	return p, nil
}

// hash of the parts, each with its length so that none runs into the next.
func hash(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}
