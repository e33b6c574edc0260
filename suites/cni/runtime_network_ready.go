// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// The runtime of every node reports NetworkReady over the CRI, which means that
// it has loaded a CNI configuration; the kubelet starts no sandbox before. It is
// asked on the node (crictl info). Without node access the kubelet's word is
// taken: it puts what the runtime says into the Ready condition's message.
//
// Turns red with: mv /etc/cni/net.d/10-flannel.conflist /root (on a node; cat
// it back, for containerd does not see a file renamed into the directory)
var _ = check.Register(check.Check{
	ID:       "cni.runtime-network-ready",
	Title:    "the container runtime reports its network ready on every node",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		if env.Cluster.Access == nil {
			return byKubelet(ctx, env)
		}
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.CNI),
			Judge: func(s *nodestate.State) error {
				n, err := s.Network()
				if err != nil {
					return err
				}
				if n.Runtime == nil {
					return &check.Inconclusive{Node: s.Node.Name, Why: "crictl info does not answer on the node"}
				}
				for _, c := range n.Runtime.Status.Conditions {
					if c.Type == "NetworkReady" && !c.Status {
						return notReady(s.Node.Name, fmt.Sprintf("%s: %s", c.Reason, c.Message))
					}
				}
				return nil
			},
		})
	},
})

func notReady(node, said string) error {
	return &check.Failure{Node: node, Wanted: "the runtime to report NetworkReady", Observed: "it is false: " + said}
}

// byKubelet reads the nodes' Ready conditions. The wording is from the kubelet's
// runtimeState (pkg/kubelet/runtime.go); a node that is not Ready for another
// reason does not say.
func byKubelet(ctx context.Context, env *check.Env) error {
	list, err := env.Cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return &check.Inconclusive{Why: "the nodes could not be listed", Err: err}
	}
	said := map[string]corev1.NodeCondition{}
	for _, n := range list.Items {
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				said[n.Name] = c
			}
		}
	}
	var errs []error
	for _, n := range env.Nodes {
		switch c := said[n.Name]; {
		case c.Status == corev1.ConditionTrue:
		case strings.Contains(c.Message, "NetworkReady=false"):
			errs = append(errs, notReady(n.Name, c.Message))
		default:
			errs = append(errs, &check.Inconclusive{Node: n.Name, Why: "its kubelet does not report Ready: " + c.Message})
		}
	}
	return errors.Join(errs...)
}
