// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// rule is what the CNI does to the source address of packets that leave the
// cluster.
type rule struct {
	// always tells that the CNI is known to put the node's in its place; because
	// says how that is known.
	always  bool
	because string
}

// masquerade asks the CNI's own configuration. Where that does not tell, both
// addresses are right.
func masquerade(ctx context.Context, env *check.Env) rule {
	cni := env.Cluster.CNI
	switch cni.Kind {
	case "weave", "kindnet":
		return rule{true, ", as " + cni.Kind + " masquerades"}
	case "flannel":
		agent, err := env.Cluster.Client.AppsV1().DaemonSets(cni.Namespace).Get(ctx, cni.DaemonSet, metav1.GetOptions{})
		if err == nil && slices.ContainsFunc(agent.Spec.Template.Spec.Containers, masquerades) {
			return rule{true, ", as flannel runs with --ip-masq"}
		}
	case "cilium":
		config, err := env.Cluster.Client.CoreV1().ConfigMaps(cni.Namespace).Get(ctx, "cilium-config", metav1.GetOptions{})
		if err == nil && config.Data["enable-ipv4-masquerade"] == "true" && (len(env.Cluster.Families) < 2 || config.Data["enable-ipv6-masquerade"] == "true") {
			return rule{true, ", as cilium-config says enable-ipv4-masquerade"}
		}
	}
	return rule{because: " or the pod's own"}
}

// masquerades tells whether flanneld is told to.
func masquerades(c corev1.Container) bool {
	return slices.ContainsFunc(append(c.Command, c.Args...), func(arg string) bool {
		return strings.TrimLeft(arg, "-") == "ip-masq" || strings.TrimLeft(arg, "-") == "ip-masq=true"
	})
}
