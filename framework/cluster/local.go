// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
)

// attach gives the cluster container access where every node is a container of
// kind on the local engine, and marks it as owned where these are the
// containers of a record of ours. A cluster elsewhere whose nodes have the same
// names and addresses is told apart by the nodes' machine IDs. The error says
// why there is no access.
func attach(ctx context.Context, c *Cluster, nodes []corev1.Node) error {
	name, err := kindCluster(nodes)
	if err != nil {
		return err
	}
	containers, err := containersWith(ctx, labelKindCluster, name)
	if err != nil {
		return fmt.Errorf("look for the nodes among the containers: %w", err)
	}
	ids, err := matchNodes(nodes, containers)
	if err != nil {
		return err
	}
	access := newContainerAccess(name, ids)
	if err := compareMachines(ctx, nodes, access); err != nil {
		return err
	}
	c.Access = access
	s, err := openStore()
	if err != nil {
		return err
	}
	all := make([]string, len(containers))
	for i, container := range containers {
		all[i] = container.ID
	}
	r, owned, err := s.owner(all)
	if err != nil || !owned || r.Name != name {
		return err
	}
	c.Owned = true
	c.Outside, err = findOutside(ctx, name)
	return err
}

// kindCluster is the kind cluster all nodes say they are of. kind's provider ID
// is kind://docker/<cluster>/<node> (kind, pkg/cluster/internal/kubeadm/config.go).
func kindCluster(nodes []corev1.Node) (string, error) {
	name := ""
	for _, node := range nodes {
		rest, ok := strings.CutPrefix(node.Spec.ProviderID, "kind://docker/")
		cluster, container, whole := strings.Cut(rest, "/")
		if !ok || !whole || container != node.Name || name != "" && cluster != name {
			return "", fmt.Errorf("node %s is no kind container: its provider ID is %q", node.Name, node.Spec.ProviderID)
		}
		name = cluster
	}
	return name, nil
}

// matchNodes finds the ID of each node's running container, which has the node's name
// and its InternalIP.
func matchNodes(nodes []corev1.Node, containers []container) (map[string]string, error) {
	ids := map[string]string{}
	for _, node := range nodes {
		i := slices.IndexFunc(containers, func(c container) bool { return c.Name == node.Name })
		if i < 0 {
			return nil, fmt.Errorf("no container on this machine is named %s", node.Name)
		}
		if !containers[i].State.Running {
			return nil, fmt.Errorf("container %s does not run: it is %s", node.Name, containers[i].State.Status)
		}
		wanted, observed := newNode(node).InternalIPs, containers[i].addrs()
		for _, ip := range wanted {
			if !slices.Contains(observed, ip) {
				return nil, fmt.Errorf("container %s is not the node of that name: wanted address %s, observed %v", node.Name, ip, observed)
			}
		}
		ids[node.Name] = containers[i].ID
	}
	return ids, nil
}

// compareMachines checks that the machine ID in each container, which kind
// makes anew for each, is the one its kubelet reported.
func compareMachines(ctx context.Context, nodes []corev1.Node, access containerAccess) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range nodes {
		group.Go(func() error {
			out, err := access.Run(ctx, node.Name, Command{Argv: []string{"cat", "/etc/machine-id"}})
			if err != nil {
				return err
			}
			wanted, observed := node.Status.NodeInfo.MachineID, strings.TrimSpace(string(out.Stdout))
			if wanted != observed {
				return fmt.Errorf("container %s is not the node of that name: wanted machine ID %q, observed %q", node.Name, wanted, observed)
			}
			return nil
		})
	}
	return group.Wait()
}
