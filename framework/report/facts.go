// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

// Facts are what reports show of c.
func Facts(c *cluster.Cluster) Cluster {
	facts := Cluster{
		Name: c.Name, Server: c.Server, ProxyMode: c.ProxyMode, CNI: strings.TrimSpace(c.CNI.Kind + " " + c.CNI.Version),
		PodCIDRs: texts(c.PodCIDRs), ServiceCIDRs: texts(c.ServiceCIDRs),
	}
	if c.CNI.Backend != "" {
		facts.CNI += " (" + c.CNI.Backend + ")"
	}
	for _, family := range c.Families {
		facts.Families = append(facts.Families, string(family))
	}
	for _, n := range c.Nodes {
		node := Node{
			Name: n.Name, Role: "worker", IPs: texts(n.InternalIPs), PodCIDRs: texts(n.PodCIDRs),
			Kubelet: n.Kubelet, Runtime: strings.TrimSpace(n.Runtime + " " + n.RuntimeVersion), Kernel: n.Kernel,
		}
		if n.ControlPlane {
			node.Role = "control-plane"
		}
		if !n.Ready {
			node.NotReady = "not Ready"
			if n.NotReadyReason != "" {
				node.NotReady = n.NotReadyReason
			}
		}
		facts.Nodes = append(facts.Nodes, node)
	}
	return facts
}

func texts[T fmt.Stringer](list []T) []string {
	var out []string
	for _, item := range list {
		out = append(out, item.String())
	}
	return out
}
