// SPDX-License-Identifier: Apache-2.0

package fact

import "slices"

// mergeNodes makes one node of what several outputs tell about it.
func mergeNodes(nodes []Node) []Node {
	var merged []Node
	at := map[string]int{}
	for _, n := range nodes {
		i, known := at[n.Name]
		if !known {
			at[n.Name] = len(merged)
			merged = append(merged, n)
			continue
		}
		m := &merged[i]
		m.Ready = m.Ready && n.Ready
		m.Unreachable = m.Unreachable || n.Unreachable
		for _, a := range n.Addresses {
			if !slices.Contains(m.Addresses, a) {
				m.Addresses = append(m.Addresses, a)
			}
		}
		if len(m.PodCIDRs) == 0 {
			m.PodCIDRs = n.PodCIDRs
		}
		m.Runtime = first(m.Runtime, n.Runtime)
		m.Kubelet = first(m.Kubelet, n.Kubelet)
		m.NoNetwork = first(m.NoNetwork, n.NoNetwork)
	}
	return merged
}

// mergePods makes one pod of what several outputs tell about it and finds out
// which are on the host network: they have their node's address.
func mergePods(pods []Pod, nodes []Node) []Pod {
	addresses := map[string]bool{}
	for _, n := range nodes {
		for _, a := range n.Addresses {
			addresses[a] = true
		}
	}
	var merged []Pod
	at := map[string]int{}
	for _, p := range pods {
		p.HostNetwork = p.HostNetwork || addresses[p.IP]
		i, known := at[p.ID()]
		if !known {
			at[p.ID()] = len(merged)
			merged = append(merged, p)
			continue
		}
		m := &merged[i]
		m.HostNetwork = m.HostNetwork || p.HostNetwork
		m.Node, m.IP, m.DNSPolicy = first(m.Node, p.Node), first(m.IP, p.IP), first(m.DNSPolicy, p.DNSPolicy)
		if m.Status == "" || m.Status == "Running" || m.Status == "Pending" {
			m.Status = first(p.Status, m.Status)
		}
		m.Restarts = max(m.Restarts, p.Restarts)
		if m.Containers == 0 {
			m.Ready, m.Containers = p.Ready, p.Containers
		}
		if len(m.Labels) == 0 {
			m.Labels = p.Labels
		}
		if len(m.Ports) == 0 {
			m.Ports = p.Ports
		}
	}
	return merged
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
