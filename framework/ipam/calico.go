// SPDX-License-Identifier: Apache-2.0

package ipam

import (
	"context"
	"math/big"
	"net/netip"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

const calicoAPI = "/apis/crd.projectcalico.org/v1/"

// calicoBlock is an IPAMBlock: a range that belongs to one node. Allocations
// has, for each address of the range in order, an index into Attributes, or
// null.
type calicoBlock struct {
	Spec struct {
		CIDR        netip.Prefix `json:"cidr"`
		Affinity    string       `json:"affinity"`
		Allocations []*int       `json:"allocations"`
		Attributes  []struct {
			Handle    string            `json:"handle_id"`
			Secondary map[string]string `json:"secondary"`
		} `json:"attributes"`
	} `json:"spec"`
}

type calicoPool struct {
	Spec struct {
		CIDR netip.Prefix `json:"cidr"`
	} `json:"spec"`
}

func calicoLeases(ctx context.Context, c *cluster.Cluster, nodes []string) (map[string]Leases, error) {
	blocks, err := list[calicoBlock](ctx, c, calicoAPI+"ipamblocks")
	if err != nil {
		return nil, err
	}
	return allocations(blocks, nodes), nil
}

// allocations are what pods of the nodes hold of the blocks. The node is the
// holder's and not the block's: a node may borrow from another's block. The
// holder's ID is what follows the network's name in the handle.
func allocations(blocks []calicoBlock, nodes []string) map[string]Leases {
	leases := empty(nodes)
	for _, b := range blocks {
		for i, index := range b.Spec.Allocations {
			if index == nil || *index < 0 || *index >= len(b.Spec.Attributes) {
				continue
			}
			attribute := b.Spec.Attributes[*index]
			held, ok := leases[attribute.Secondary["node"]]
			if !ok || attribute.Secondary["pod"] == "" {
				continue
			}
			_, id, _ := strings.Cut(attribute.Handle, ".")
			held[nth(b.Spec.CIDR, i)] = id
		}
	}
	return leases
}

// nth is the address n after the first of the range.
func nth(p netip.Prefix, n int) netip.Addr {
	first := p.Masked().Addr()
	sum := new(big.Int).SetBytes(first.AsSlice())
	sum.Add(sum, big.NewInt(int64(n)))
	addr, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, first.BitLen()/8)))
	return addr
}

// calicoPools are the ranges of all IPPools; a disabled one still has the pods
// it had.
func calicoPools(ctx context.Context, c *cluster.Cluster) ([]netip.Prefix, error) {
	pools, err := list[calicoPool](ctx, c, calicoAPI+"ippools")
	var prefixes []netip.Prefix
	for _, p := range pools {
		prefixes = append(prefixes, p.Spec.CIDR)
	}
	return prefixes, err
}
