// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	kindexec "sigs.k8s.io/kind/pkg/exec"
)

// LoadImage loads the image archive (docker-archive or OCI layout, as a tarball)
// that holds ref into every node of a cluster of ours that lacks it. ctx bounds
// it. It refuses clusters that are not Owned.
func LoadImage(ctx context.Context, c *Cluster, archive, ref string) error {
	access, ok := c.Access.(containerAccess)
	if !c.Owned || !ok {
		return fmt.Errorf("load image %s: cluster %s is not ours", ref, c.Name)
	}
	missing, err := MissingImage(ctx, c, ref)
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := access.load(ctx, archive, missing); err != nil {
		return fmt.Errorf("load image %s: %w", ref, err)
	}
	if missing, err = MissingImage(ctx, c, ref); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("load image %s: it is not on %s although %s was imported there", ref, strings.Join(missing, ", "), archive)
	}
	return nil
}

// load imports an archive into nodes, in parallel.
func (a containerAccess) load(ctx context.Context, archive string, names []string) error {
	members, err := kindcluster.NewProvider(kindcluster.ProviderWithDocker()).ListInternalNodes(a.cluster)
	if err != nil {
		return fmt.Errorf("list the nodes of %s: %w", a.cluster, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range members {
		if !slices.Contains(names, node.String()) {
			continue
		}
		group.Go(func() error {
			file, err := os.Open(archive)
			if err != nil {
				return err
			}
			defer file.Close()
			if err := nodeutils.LoadImageArchive(boundNode{node, ctx}, file); err != nil {
				return fmt.Errorf("import %s on %s: %w", archive, node, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// boundNode ends every command on the node with ctx.
type boundNode struct {
	nodes.Node
	ctx context.Context
}

func (n boundNode) Command(name string, args ...string) kindexec.Cmd {
	return n.CommandContext(n.ctx, name, args...)
}

// MissingImage returns the nodes on which ref is not known to be, sorted. With
// node access the runtime is asked; without, the node's status tells, which
// lists no more than 50 images.
func MissingImage(ctx context.Context, c *Cluster, ref string) ([]string, error) {
	has := make([]bool, len(c.Nodes))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, node := range c.Nodes {
		group.Go(func() (err error) {
			has[i], err = hasImage(groupCtx, c, node.Name, ref)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("look for image %s: %w", ref, err)
	}
	var missing []string
	for i, node := range c.Nodes {
		if !has[i] {
			missing = append(missing, node.Name)
		}
	}
	return missing, nil
}

func hasImage(ctx context.Context, c *Cluster, node, ref string) (bool, error) {
	if c.Access != nil {
		out, err := c.Access.Run(ctx, node, Command{Argv: []string{"crictl", "inspecti", "--quiet", ref}})
		switch {
		case err == nil && out.Code == 0:
			return true, nil
		case err == nil && strings.Contains(string(out.Stderr), "no such image"):
			return false, nil
		case err != nil && !errors.Is(err, exec.ErrNotFound):
			return false, err
		}
	}
	status, err := c.Client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("read the images of node %s: %w", node, err)
	}
	return slices.ContainsFunc(status.Status.Images, func(image corev1.ContainerImage) bool { return slices.Contains(image.Names, ref) }), nil
}
