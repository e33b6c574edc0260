// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/netip"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// weaveDefaultRange is IPALLOC_RANGE's default (weave, prog/weave-kube/launch.sh).
const weaveDefaultRange = "10.32.0.0/12"

func isKubeProxy(ds appsv1.DaemonSet) bool {
	return ds.Spec.Template.Labels["k8s-app"] == "kube-proxy" || strings.HasPrefix(ds.Name, "kube-proxy")
}

// kubeProxyConfig is the part of KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1)
// that is of interest.
type kubeProxyConfig struct {
	Kind        string `json:"kind"`
	Mode        string `json:"mode"`
	ClusterCIDR string `json:"clusterCIDR"`
}

// kubeProxy returns kube-proxy's settings and whether it runs at all, as
// DaemonSet or as static pods.
func kubeProxy(o objects) (kubeProxyConfig, bool) {
	for _, ds := range o.daemonSets {
		if !isKubeProxy(ds) {
			continue
		}
		var config kubeProxyConfig
		for _, name := range settings(ds) {
			for _, text := range o.configMaps[name[0]+"/"+name[1]].Data {
				var candidate kubeProxyConfig
				if yaml.Unmarshal([]byte(text), &candidate) == nil && candidate.Kind == "KubeProxyConfiguration" {
					config = candidate
				}
			}
		}
		return overridden(config, ds.Spec.Template.Spec.Containers), true
	}
	for _, pod := range o.system {
		if pod.Labels["component"] == "kube-proxy" || pod.Labels["k8s-app"] == "kube-proxy" {
			return overridden(kubeProxyConfig{}, pod.Spec.Containers), true
		}
	}
	return kubeProxyConfig{}, false
}

func overridden(config kubeProxyConfig, containers []corev1.Container) kubeProxyConfig {
	if mode := argument(containers, "--proxy-mode"); mode != "" {
		config.Mode = mode
	}
	if cidr := argument(containers, "--cluster-cidr"); cidr != "" {
		config.ClusterCIDR = cidr
	}
	return config
}

// proxyMode is kube-proxy's mode; an empty one is iptables on Linux
// (KubeProxyConfiguration's documentation).
func proxyMode(o objects, c *Cluster) string {
	config, runs := kubeProxy(o)
	switch {
	case runs && config.Mode == "":
		return "iptables"
	case runs:
		return config.Mode
	case embedded(c):
		return unknown
	}
	return "none"
}

// embedded tells distributions that run kube-proxy inside of another process,
// where the API does not show it.
func embedded(c *Cluster) bool {
	return strings.Contains(c.Server, "+k3s") || strings.Contains(c.Server, "+k0s")
}

// kubeadmNetworking is the networking part of kubeadm's ClusterConfiguration.
func kubeadmNetworking(o objects) (podSubnet, serviceSubnet string) {
	var config struct {
		Networking struct {
			PodSubnet     string `json:"podSubnet"`
			ServiceSubnet string `json:"serviceSubnet"`
		} `json:"networking"`
	}
	text := o.configMaps["kube-system/kubeadm-config"].Data["ClusterConfiguration"]
	if yaml.Unmarshal([]byte(text), &config) != nil {
		return "", ""
	}
	return config.Networking.PodSubnet, config.Networking.ServiceSubnet
}

// podCIDRs are the ranges pods get their addresses from: the plugin's own
// where it does not use the nodes' podCIDRs, else the first source that tells.
func podCIDRs(o objects, c *Cluster) []netip.Prefix {
	podSubnet, _ := kubeadmNetworking(o)
	proxy, _ := kubeProxy(o)
	for _, source := range [][]string{ownRanges(o, c.CNI), {podSubnet}, {proxy.ClusterCIDR}, {controllerManagerCIDR(o)}, flannelRanges(o, c.CNI)} {
		if found := prefixes(source...); len(found) > 0 {
			return found
		}
	}
	var all []netip.Prefix
	for _, node := range c.Nodes {
		for _, prefix := range node.PodCIDRs {
			if !slices.Contains(all, prefix) {
				all = append(all, prefix)
			}
		}
	}
	return all
}

func (o objects) agent(cni CNI) (appsv1.DaemonSet, bool) {
	i := slices.IndexFunc(o.daemonSets, func(ds appsv1.DaemonSet) bool {
		return ds.Namespace == cni.Namespace && ds.Name == cni.DaemonSet
	})
	if i < 0 {
		return appsv1.DaemonSet{}, false
	}
	return o.daemonSets[i], true
}

// ownRanges are those of plugins that allocate without the nodes' podCIDRs.
func ownRanges(o objects, cni CNI) []string {
	ds, ok := o.agent(cni)
	if !ok {
		return nil
	}
	switch cni.Kind {
	case "weave":
		if configured := o.variable(ds, "IPALLOC_RANGE"); configured != "" {
			return []string{configured}
		}
		return []string{weaveDefaultRange}
	case "calico":
		return []string{o.variable(ds, "CALICO_IPV4POOL_CIDR"), o.variable(ds, "CALICO_IPV6POOL_CIDR")}
	case "cilium":
		if o.setting(ds, "ipam") == "cluster-pool" {
			return strings.Fields(o.setting(ds, "cluster-pool-ipv4-cidr") + " " + o.setting(ds, "cluster-pool-ipv6-cidr"))
		}
	}
	return nil
}

func flannelRanges(o objects, cni CNI) []string {
	ds, ok := o.agent(cni)
	if !ok || cni.Kind != "flannel" {
		return nil
	}
	network := flannelConfig(o, ds)
	return []string{network.Network, network.IPv6Network}
}

func controllerManagerCIDR(o objects) string {
	return systemArgument(o, "kube-controller-manager", "--cluster-cidr")
}

// serviceCIDRs are the ranges of Service addresses: those in use, as the API
// has them, else those the API server was started with.
func serviceCIDRs(o objects) []netip.Prefix {
	_, serviceSubnet := kubeadmNetworking(o)
	for _, source := range [][]string{o.serviceCIDRs, {serviceSubnet}, {systemArgument(o, "kube-apiserver", "--service-cluster-ip-range")}} {
		if found := prefixes(source...); len(found) > 0 {
			return found
		}
	}
	return nil
}

// systemArgument is a flag of a control plane component's static pod.
func systemArgument(o objects, component, flag string) string {
	for _, pod := range o.system {
		if pod.Labels["component"] == component {
			if value := argument(pod.Spec.Containers, flag); value != "" {
				return value
			}
		}
	}
	return ""
}

// podAddresses are the addresses of pods on the pod network, as prefixes of
// their whole length.
func podAddresses(pods []corev1.Pod) []netip.Prefix {
	var all []netip.Prefix
	for _, pod := range pods {
		if pod.Spec.HostNetwork {
			continue
		}
		for _, ip := range pod.Status.PodIPs {
			if addr, err := netip.ParseAddr(ip.IP); err == nil {
				all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
			}
		}
	}
	return all
}
