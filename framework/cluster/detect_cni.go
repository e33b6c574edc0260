// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// plugin is how one CNI is recognised and what it says of itself.
type plugin struct {
	kind string
	// labels, any of them on the pods of the per-node agent, or image, on one of
	// its containers, tell it.
	labels []string
	image  *regexp.Regexp
	// types are the plugin's names in CNI configuration.
	types []string
	// configMap is where its settings are even when its pods only read them
	// through the API.
	configMap string
	// backend is what the plugin says of its dataplane; nil where it says nothing.
	backend func(objects, appsv1.DaemonSet) string
}

// plugins are ordered: where an agent has the marks of two (canal runs
// calico-node and flannel in one pod), the first one makes the pods' interfaces.
var plugins = []plugin{
	{
		kind: "calico", labels: []string{"k8s-app=calico-node", "k8s-app=canal"}, types: []string{"calico"}, configMap: "calico-config",
		image: regexp.MustCompile(`(^|[/-])calico[/-]node(-fips)?[:@]`), backend: calicoBackend,
	},
	{
		kind: "cilium", labels: []string{"k8s-app=cilium"}, types: []string{"cilium-cni"}, configMap: "cilium-config",
		image: regexp.MustCompile(`(^|/)cilium(-ci|-dev)?[:@]`), backend: ciliumBackend,
	},
	{
		kind: "weave", labels: []string{"name=weave-net"}, types: []string{"weave-net"},
		image: regexp.MustCompile(`(^|/)weave-kube[:@]`), backend: weaveBackend,
	},
	{
		kind: "flannel", labels: []string{"app=flannel", "k8s-app=flannel"}, types: []string{"flannel"}, configMap: "kube-flannel-cfg",
		image: regexp.MustCompile(`(^|[/-])flannel[:@]`), backend: flannelBackend,
	},
	{
		kind: "kindnet", labels: []string{"k8s-app=kindnet", "app=kindnet"}, types: []string{"kindnet"},
		image: regexp.MustCompile(`(^|/)kindnetd[:@]`),
	},
}

// matchCNI returns the CNI whose per-node agent a DaemonSet is, nil for others.
func matchCNI(ds appsv1.DaemonSet) *plugin {
	for i, p := range plugins {
		if p.image.FindString(strings.Join(images(ds), "\n")) != "" {
			return &plugins[i]
		}
		for _, label := range p.labels {
			key, value, _ := strings.Cut(label, "=")
			if ds.Spec.Template.Labels[key] == value {
				return &plugins[i]
			}
		}
	}
	return nil
}

// images are those of the DaemonSet's containers, the long-running ones first.
func images(ds appsv1.DaemonSet) []string {
	var all []string
	for _, container := range slices.Concat(ds.Spec.Template.Spec.Containers, ds.Spec.Template.Spec.InitContainers) {
		all = append(all, container.Image)
	}
	return all
}

// cniOf recognises the CNI by its DaemonSet. Of two, one may be the rest of an
// earlier installation: the one that is ready on more nodes is in use.
func cniOf(o objects) CNI {
	var agent *appsv1.DaemonSet
	var found *plugin
	for i := range o.daemonSets {
		ds := &o.daemonSets[i]
		p := matchCNI(*ds)
		if p == nil {
			continue
		}
		if agent == nil || ds.Status.NumberReady > agent.Status.NumberReady {
			agent, found = ds, p
		}
	}
	if agent == nil {
		return CNI{Kind: unknown}
	}
	cni := CNI{
		Kind:      found.kind,
		Namespace: agent.Namespace,
		Selector:  metav1.FormatLabelSelector(agent.Spec.Selector),
		DaemonSet: agent.Name,
		Version:   agentVersion(*agent, *found),
	}
	if found.backend != nil {
		cni.Backend = found.backend(o, *agent)
	}
	return cni
}

// agentVersion is the tag of the image that tells the plugin, else of the first one.
func agentVersion(ds appsv1.DaemonSet, p plugin) string {
	all := images(ds)
	image := all[0]
	if i := slices.IndexFunc(all, func(s string) bool { return p.image.FindString(s) != "" }); i >= 0 {
		image = all[i]
	}
	image, _, _ = strings.Cut(image, "@")
	if _, tag, ok := strings.Cut(path.Base(image), ":"); ok {
		return tag
	}
	return ""
}

// flannelNetwork is flannel's net-conf.json (flannel, Documentation/configuration.md).
type flannelNetwork struct {
	Network     string
	IPv6Network string
	Backend     struct{ Type string }
}

func flannelConfig(o objects, ds appsv1.DaemonSet) flannelNetwork {
	var network flannelNetwork
	// What does not parse says nothing; flannel itself logs it.
	_ = json.Unmarshal([]byte(o.setting(ds, "net-conf.json")), &network)
	return network
}

func flannelBackend(o objects, ds appsv1.DaemonSet) string { return flannelConfig(o, ds).Backend.Type }

// calicoBackend is "bgp", "vxlan", "ipip" or "none". The pools decide in the
// end; the variables are what they are created from.
func calicoBackend(o objects, ds appsv1.DaemonSet) string {
	enabled := func(name string) bool {
		value := o.variable(ds, name)
		return value != "" && value != "Never"
	}
	switch backend := o.variable(ds, "CALICO_NETWORKING_BACKEND"); {
	case backend == "bird" && enabled("CALICO_IPV4POOL_IPIP"):
		return "ipip"
	case backend == "bird" && enabled("CALICO_IPV4POOL_VXLAN"):
		return "vxlan"
	case backend == "bird":
		return "bgp"
	default:
		return backend
	}
}

// ciliumBackend is vxlan, geneve or native. Since 1.14 routing-mode and
// tunnel-protocol say it, before that tunnel did; empty is the default, vxlan.
func ciliumBackend(o objects, ds appsv1.DaemonSet) string {
	tunnel := o.setting(ds, "tunnel")
	if o.setting(ds, "routing-mode") == "native" || tunnel == "disabled" {
		return "native"
	}
	if protocol := o.setting(ds, "tunnel-protocol"); protocol != "" {
		return protocol
	}
	if tunnel != "" {
		return tunnel
	}
	return "vxlan"
}

// weaveBackend is sleeve where the fast datapath is switched off. Otherwise
// each connection chooses, so the settings do not tell.
func weaveBackend(o objects, ds appsv1.DaemonSet) string {
	if o.variable(ds, "WEAVE_NO_FASTDP") != "" {
		return "sleeve"
	}
	return ""
}

// cniOnNode recognises the CNI by the configuration the runtime of a node uses:
// the first file of its directory by name. For plugins without a DaemonSet of
// their own, such as the flannel inside of k3s.
func cniOnNode(ctx context.Context, c *Cluster) string {
	for _, node := range c.Nodes {
		if !node.Ready {
			continue
		}
		out, err := c.Access.Run(ctx, node.Name, Command{Argv: []string{
			"find", "/etc/cni/net.d", "-maxdepth", "1", "-type", "f", "(", "-name", "*.conf", "-o", "-name", "*.conflist", "-o", "-name", "*.json", ")",
		}})
		names := strings.Fields(string(out.Stdout))
		if err != nil || len(names) == 0 {
			continue
		}
		out, err = c.Access.Run(ctx, node.Name, Command{Argv: []string{"cat", slices.Min(names)}})
		if err != nil || out.Code != 0 {
			continue
		}
		if kind := cniInConfig(out.Stdout); kind != unknown {
			return kind
		}
	}
	return unknown
}

// cniInConfig recognises the CNI in a network configuration or a list of them
// (CNI specification, section 1): by the plugin type, else the network's name.
func cniInConfig(text []byte) string {
	var network struct {
		Name    string
		Type    string
		Plugins []struct{ Type string }
	}
	if err := json.Unmarshal(text, &network); err != nil {
		return unknown
	}
	words := []string{network.Type, network.Name}
	for _, p := range network.Plugins {
		words = append(words, p.Type)
	}
	for _, p := range plugins {
		if slices.ContainsFunc(p.types, func(t string) bool { return slices.Contains(words, t) }) {
			return p.kind
		}
	}
	return unknown
}
