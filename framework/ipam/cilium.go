// SPDX-License-Identifier: Apache-2.0

package ipam

import (
	"context"
	"net/netip"

	"github.com/cniproof/cniproof/framework/cluster"
)

const ciliumAPI = "/apis/cilium.io/v2/"

// ciliumEndpoint is a CiliumEndpoint, the agent's own record of a pod it
// networks.
type ciliumEndpoint struct {
	Metadata struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"metadata"`
	Status struct {
		Networking struct {
			Addressing []struct{ IPv4, IPv6 string } `json:"addressing"`
			// Node is the node's InternalIP.
			Node string `json:"node"`
		} `json:"networking"`
	} `json:"status"`
}

type ciliumNode struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		IPAM struct {
			PodCIDRs []netip.Prefix `json:"podCIDRs"`
		} `json:"ipam"`
	} `json:"spec"`
}

func ciliumLeases(ctx context.Context, c *cluster.Cluster, nodes []string) (map[string]Leases, error) {
	endpoints, err := list[ciliumEndpoint](ctx, c, ciliumAPI+"ciliumendpoints")
	if err != nil {
		return nil, err
	}
	names := map[netip.Addr]string{}
	for _, n := range c.Nodes {
		for _, addr := range n.InternalIPs {
			names[addr] = n.Name
		}
	}
	return held(endpoints, names, nodes), nil
}

// held are the addresses of the endpoints on the nodes; names are all nodes'
// names by address.
func held(endpoints []ciliumEndpoint, names map[netip.Addr]string, nodes []string) map[string]Leases {
	leases := empty(nodes)
	for _, e := range endpoints {
		host, _ := netip.ParseAddr(e.Status.Networking.Node)
		on, ok := leases[names[host]]
		if !ok {
			continue
		}
		for _, a := range e.Status.Networking.Addressing {
			for _, text := range []string{a.IPv4, a.IPv6} {
				if addr, err := netip.ParseAddr(text); err == nil {
					on[addr] = e.Metadata.Namespace + "/" + e.Metadata.Name
				}
			}
		}
	}
	return leases
}

func ciliumRanges(ctx context.Context, c *cluster.Cluster) (map[string][]netip.Prefix, error) {
	nodes, err := list[ciliumNode](ctx, c, ciliumAPI+"ciliumnodes")
	ranges := map[string][]netip.Prefix{}
	for _, n := range nodes {
		ranges[n.Metadata.Name] = n.Spec.IPAM.PodCIDRs
	}
	return ranges, err
}
