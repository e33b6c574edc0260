// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// flannel's agent on one worker talks to something whose certificate its cluster's
// authority did not sign: here the kubelet's port instead of the API server's, as
// after a rotation of the authority or behind a proxy that breaks up TLS.
var _ = scenario.Register(scenario.Scenario{
	Name:     "flannel_certificate",
	Title:    "flannel on one worker does not trust the certificate it is shown",
	Expects:  diagnosis.CNICertInvalid,
	Topology: "two-node",
	Breaks:   []string{"cni.agent-ready"},
	MayBreak: []string{"cni.agent-stable"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := patchDaemonSet(ctx, t, "kube-flannel", "kube-flannel-ds", fmt.Sprintf(`{"spec":{"updateStrategy":{"$retainKeys":["type"],"type":"OnDelete"},"template":{"spec":{"containers":[{"name":"kube-flannel","env":[{"name":"KUBERNETES_SERVICE_HOST","value":%q},{"name":"KUBERNETES_SERVICE_PORT","value":"10250"}]}]}}}}`, addressOf(t, t.Node))); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-flannel", "app=flannel", t.Node)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := patchDaemonSet(ctx, t, "kube-flannel", "kube-flannel-ds", `{"spec":{"updateStrategy":{"type":"RollingUpdate"},"template":{"spec":{"containers":[{"name":"kube-flannel","env":[{"name":"KUBERNETES_SERVICE_HOST","$patch":"delete"},{"name":"KUBERNETES_SERVICE_PORT","$patch":"delete"}]}]}}}}`); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-flannel logs -l app=flannel --tail=20",
		}
	},
})

// addressOf is the InternalIP of a node.
func addressOf(t scenario.Target, node string) string {
	for _, n := range t.Cluster.Nodes {
		if n.Name == node && len(n.InternalIPs) > 0 {
			return n.InternalIPs[0].String()
		}
	}
	return ""
}
