// SPDX-License-Identifier: Apache-2.0

// Package ipam reads what a CNI's address management believes: which addresses
// are leased, to whom, and from which ranges. It only reads, and it judges
// nothing.
package ipam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cniproof/cniproof/framework/cluster"
)

// Leases are addresses that are taken and their holders: the ID of the sandbox
// for host-local and Calico, the pod for Cilium.
type Leases map[netip.Addr]string

// ErrUnknown tells that there is no way to read the address management of this
// cluster: it is none of those known, or it is kept on the nodes and they cannot
// be reached.
var ErrUnknown = errors.New("the CNI's address management cannot be read")

// Read are the leases for pods of each of the nodes. It asks the API server
// once where the CNI keeps them there, else every node, all in parallel. A node
// that could not be read is not in the map, and the error says why.
func Read(ctx context.Context, c *cluster.Cluster, nodes ...string) (map[string]Leases, error) {
	switch {
	case c.CNI.Kind == "calico":
		return calicoLeases(ctx, c, nodes)
	case c.CNI.Kind == "cilium":
		return ciliumLeases(ctx, c, nodes)
	case c.CNI.Kind == "weave":
		return nil, fmt.Errorf("%w: Weave Net does not list the holders of its addresses", ErrUnknown)
	case c.Access == nil:
		return nil, fmt.Errorf("%w: host-local keeps its leases on the nodes and there is no node access", ErrUnknown)
	}
	return hostLocalLeases(ctx, c, nodes)
}

// Ranges are the ranges the addresses of each node's pods come from, in the
// CNI's own words where it has a say, and what that is for people.
func Ranges(ctx context.Context, c *cluster.Cluster) (map[string][]netip.Prefix, string, error) {
	switch c.CNI.Kind {
	case "calico":
		pools, err := calicoPools(ctx, c)
		return everywhere(c, pools), "an IPPool of Calico", err
	case "cilium":
		ranges, err := ciliumRanges(ctx, c)
		return ranges, "the pod ranges of its CiliumNode", err
	case "flannel", "kindnet":
		ranges := map[string][]netip.Prefix{}
		for _, n := range c.Nodes {
			ranges[n.Name] = n.PodCIDRs
		}
		return ranges, "its node's podCIDRs", nil
	case "weave":
		return everywhere(c, c.PodCIDRs), "Weave Net's range", nil
	}
	return nil, "", fmt.Errorf("%w: it is not known from which ranges this CNI takes pod addresses", ErrUnknown)
}

func everywhere(c *cluster.Cluster, prefixes []netip.Prefix) map[string][]netip.Prefix {
	ranges := map[string][]netip.Prefix{}
	for _, n := range c.Nodes {
		ranges[n.Name] = prefixes
	}
	return ranges
}

// empty has no leases for each of the nodes.
func empty(nodes []string) map[string]Leases {
	leases := map[string]Leases{}
	for _, n := range nodes {
		leases[n] = Leases{}
	}
	return leases
}

// list reads a list of custom resources.
func list[T any](ctx context.Context, c *cluster.Cluster, path string) ([]T, error) {
	data, err := c.Client.Discovery().RESTClient().Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	return items[T](data)
}

func items[T any](data []byte) ([]T, error) {
	var list struct {
		Items []T `json:"items"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read a list of custom resources: %w", err)
	}
	return list.Items, nil
}
