// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cniproof/cniproof/framework/cluster/engine"
	"github.com/cniproof/cniproof/framework/cluster/nodeimage"
)

// cniBinaries is where containerd looks for plugins on kind nodes.
const cniBinaries = "/opt/cni/bin"

// installCNI brings what the nodes lack for the CNI onto them and applies its
// manifest, with the kubectl of a control plane's node.
func (k *kind) installCNI(ctx context.Context, p plan, access containerAccess, controlPlane string) error {
	if p.cni == "flannel" && !p.image.HasFlannel {
		plugins, err := nodeimage.CNIPlugins(ctx, k.Log)
		if err != nil {
			return err
		}
		if err := k.steps.do("copying the CNI plugins to the nodes", func() error { return copyPlugins(ctx, plugins, access) }); err != nil {
			return err
		}
	}
	if p.images.Path != "" || !p.image.HasFlannel {
		err := k.steps.do("loading the images of "+p.cni, func() error {
			if p.images.Path != "" {
				return access.load(ctx, p.images.Path, access.nodes())
			}
			return loadImages(ctx, p.manifest, access)
		})
		if err != nil {
			return err
		}
	}
	return k.steps.do("installing "+p.cni, func() error {
		out, err := access.Run(ctx, controlPlane, Command{Argv: []string{"kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "apply", "--filename=-"}, Stdin: p.manifest})
		if err != nil {
			return err
		}
		if out.Code != 0 {
			return fmt.Errorf("apply the manifest of %s: exit code %d: %s", p.cni, out.Code, strings.TrimSpace(string(out.Stderr)))
		}
		return nil
	})
}

func copyPlugins(ctx context.Context, dir string, access containerAccess) error {
	group, ctx := errgroup.WithContext(ctx)
	for node, id := range access.ids {
		group.Go(func() error {
			if _, err := engine.Docker(ctx, "cp", dir+string(filepath.Separator)+".", id+":"+cniBinaries); err != nil {
				return fmt.Errorf("copy the CNI plugins to %s: %w", node, err)
			}
			return nil
		})
	}
	return group.Wait()
}

var manifestImage = regexp.MustCompile(`(?m)^\s*image:\s*"?([^"\s]+)"?\s*$`)

// loadImages pulls the manifest's images into the engine and from there into
// the nodes: the engine may reach a registry where the nodes may not.
func loadImages(ctx context.Context, manifest []byte, access containerAccess) error {
	var refs []string
	for _, match := range manifestImage.FindAllSubmatch(manifest, -1) {
		if ref := string(match[1]); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	dir, err := os.MkdirTemp("", "cniproof-images-")
	if err != nil {
		return fmt.Errorf("create a directory for image archives: %w", err)
	}
	defer os.RemoveAll(dir)
	for i, ref := range refs {
		if _, err := engine.Docker(ctx, "image", "inspect", "--format", "{{.Id}}", ref); err != nil {
			if _, err := engine.Docker(ctx, "pull", "--quiet", ref); err != nil {
				return fmt.Errorf("get the image %s: %w", ref, err)
			}
		}
		archive := filepath.Join(dir, fmt.Sprintf("%d.tar", i))
		if _, err := engine.Docker(ctx, "save", "--output", archive, ref); err != nil {
			return fmt.Errorf("save the image %s: %w", ref, err)
		}
		if err := access.load(ctx, archive, access.nodes()); err != nil {
			return fmt.Errorf("load the image %s: %w", ref, err)
		}
	}
	return nil
}
