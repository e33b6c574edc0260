// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// Two Node objects have one pod range: that of a machine which is long gone, restored
// with its flannel annotations from a backup, has the range that one worker was given
// since. The API server does not mind, and the other nodes' flannel, which keeps one
// lease per range, takes the later: they send the worker's pods to the machine the
// restored annotations name, here its neighbour. flannel of the worker itself leaves
// leases of its own range alone.
//
// The object has no label of an operating system, so that no DaemonSet wants it. When
// it goes, the others remove their way to the range with it: Heal starts flannel anew
// on every node, which lists the leases again.
var _ = scenario.Register(scenario.Scenario{
	Name:     "subnet_overlap_nodes",
	Title:    "two Node objects have the same pod range",
	Expects:  diagnosis.SubnetOverlap,
	Topology: "default",
	Breaks:   []string{"node.ranges-disjoint", "pod.other-node"},
	MayBreak: []string{"node.pod-routes", "cni", "pod", "service", "dns", "mtu", "egress", "audit"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		nodes := t.Cluster.Client.CoreV1().Nodes()
		victim, err := nodes.Get(ctx, t.Node, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("read node %s: %w", t.Node, err)
		}
		other, err := nodes.Get(ctx, peer(t).Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("read node %s: %w", peer(t).Name, err)
		}
		restored := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: restoredNode, Annotations: map[string]string{}},
			Spec:       corev1.NodeSpec{PodCIDR: victim.Spec.PodCIDR, PodCIDRs: victim.Spec.PodCIDRs, Unschedulable: true},
		}
		for key, value := range other.Annotations {
			if strings.HasPrefix(key, "flannel.alpha.coreos.com/") {
				restored.Annotations[key] = value
			}
		}
		if _, err := nodes.Create(ctx, restored, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create node %s: %w", restoredNode, err)
		}
		return nil
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		err := t.Cluster.Client.CoreV1().Nodes().Delete(ctx, restoredNode, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete node %s: %w", restoredNode, err)
		}
		if err := deletePods(ctx, t, "kube-flannel", "app=flannel", ""); err != nil {
			return err
		}
		for _, n := range t.Cluster.Nodes {
			if err := podsReady(ctx, t, "kube-flannel", "app=flannel", n.Name); err != nil {
				return err
			}
		}
		return nil
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDR:.spec.podCIDR",
			t.Cluster.Access.Describe(peer(t).Name, []string{"ip", "neigh", "show", "dev", "flannel.1"}),
		}
	},
})

const restoredNode = "restored-node"
