// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// newNode is what the API server says of a node.
func newNode(n corev1.Node) Node {
	_, controlPlane := n.Labels["node-role.kubernetes.io/control-plane"]
	_, master := n.Labels["node-role.kubernetes.io/master"]
	info := n.Status.NodeInfo
	node := Node{
		Name:           n.Name,
		ControlPlane:   controlPlane || master,
		NotReadyReason: "it has no Ready condition",
		Cordoned:       n.Spec.Unschedulable,
		PodCIDRs:       prefixes(append(slices.Clone(n.Spec.PodCIDRs), n.Spec.PodCIDR)...),
		OS:             info.OperatingSystem,
		Arch:           info.Architecture,
		Kernel:         info.KernelVersion,
		Kubelet:        info.KubeletVersion,
		Zone:           n.Labels[corev1.LabelTopologyZone],
	}
	node.Runtime, node.RuntimeVersion = splitRuntime(info.ContainerRuntimeVersion)
	for _, condition := range n.Status.Conditions {
		if condition.Type != corev1.NodeReady {
			continue
		}
		node.Ready, node.NotReadyReason = condition.Status == corev1.ConditionTrue, ""
		if !node.Ready {
			node.NotReadyReason = condition.Message
		}
	}
	for _, taint := range n.Spec.Taints {
		if taint.Effect == corev1.TaintEffectNoSchedule || taint.Effect == corev1.TaintEffectNoExecute {
			node.Taints = append(node.Taints, taint)
		}
	}
	for _, address := range n.Status.Addresses {
		if addr, err := netip.ParseAddr(address.Address); err == nil && address.Type == corev1.NodeInternalIP {
			node.InternalIPs = append(node.InternalIPs, addr)
		}
	}
	return node
}

// splitRuntime splits "containerd://2.3.7" as the kubelet reports it; CRI-O says
// cri-o:// there.
func splitRuntime(reported string) (name, version string) {
	name, version, _ = strings.Cut(reported, "://")
	return name, version
}

// prefixes are the distinct CIDRs among words, each of which may be a list
// separated by commas.
func prefixes(words ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, word := range words {
		for part := range strings.SplitSeq(word, ",") {
			prefix, err := netip.ParsePrefix(strings.TrimSpace(part))
			if err == nil && !slices.Contains(out, prefix.Masked()) {
				out = append(out, prefix.Masked())
			}
		}
	}
	return out
}

// families are the address families of the prefixes, in their order.
func families(all []netip.Prefix) []corev1.IPFamily {
	var out []corev1.IPFamily
	for _, prefix := range all {
		if family := familyOf(prefix.Addr()); !slices.Contains(out, family) {
			out = append(out, family)
		}
	}
	return out
}

func familyOf(addr netip.Addr) corev1.IPFamily {
	if addr.Unmap().Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}
