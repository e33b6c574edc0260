// SPDX-License-Identifier: Apache-2.0

// Package policy holds the checks of area policy: NetworkPolicies do what the
// API says, where the CNI enforces any. Each check selects pods of its own and
// nothing else, in the run's own namespace.
package policy

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// lab are pods of one attempt that policies may select.
type lab struct {
	env   *check.Env
	label string
	// pods are in the order of the nodes they were wanted on.
	pods []probe.Pod
	// others are pods that no policy selects.
	others []probe.Pod
}

// open starts a pod on each of the nodes, in env.Namespace.
func open(ctx context.Context, env *check.Env, name string, nodes ...string) (*lab, error) {
	batch, err := sandbox.Open(ctx, env, name)
	if err != nil {
		return nil, &check.Inconclusive{Why: "the pods to be created could not be followed", Err: err}
	}
	batch.Create(ctx, nodes...)
	l := &lab{env: env, label: batch.Name}
	for _, s := range batch.Await(ctx, sandbox.Serving) {
		if !sandbox.Serving(s) {
			// Why is sandbox.starts-on-every-node's to say.
			return nil, &check.Inconclusive{Why: fmt.Sprintf("pod %s to try a policy with did not start on %s", s.Ref(), s.Node), Err: sandbox.Started(s)}
		}
		l.pods = append(l.pods, s.Probe())
	}
	return l, nil
}

// apply makes a policy that selects the pods of the lab. It is removed when the
// attempt is over.
func (l *lab) apply(ctx context.Context, spec networkingv1.NetworkPolicySpec) error {
	spec.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{sandbox.BatchLabel: l.label}}
	policies := l.env.Cluster.Client.NetworkingV1().NetworkPolicies(l.env.Namespace)
	l.env.Cleanup("NetworkPolicy "+l.label, func(ctx context.Context) error {
		if err := policies.Delete(ctx, l.label, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete the NetworkPolicy %s/%s: %w", l.env.Namespace, l.label, err)
		}
		return nil
	})
	_, err := policies.Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: l.label, Labels: map[string]string{workloads.RunLabel: l.env.RunID, workloads.ManagedByLabel: workloads.ManagedBy}},
		Spec:       spec,
	}, metav1.CreateOptions{})
	if err != nil {
		return &check.Inconclusive{Why: "the NetworkPolicy " + l.label + " could not be created", Err: err}
	}
	return nil
}

// allowFrom is a policy that lets in the peer and nobody else.
func allowFrom(peer networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicySpec {
	spec := denyIngress
	spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{peer}}}
	return spec
}

// one is a node to put a pod on, another for each name so that the pods of the
// area are spread.
func one(env *check.Env, name string) []string {
	nodes, _ := fleet.Able(env)
	nodes = slices.DeleteFunc(nodes, func(n cluster.Node) bool { return !n.Ready || env.Pods[n.Name].Name == "" })
	if len(nodes) == 0 {
		return nil
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return []string{nodes[int(h.Sum32()%uint32(len(nodes)))].Name}
}

// every are the nodes that have a probe to talk to.
func every(env *check.Env, _ string) []string {
	nodes, _ := fleet.Able(env)
	return fleet.Names(slices.DeleteFunc(nodes, func(n cluster.Node) bool { return env.Pods[n.Name].Name == "" }))
}

// neighbour is a probe on another node than the one named, or on that one where
// there is no other.
func neighbour(env *check.Env, node string) probe.Pod {
	if peers := fleet.Ring(env).Of(node, env.Pods); len(peers) > 0 {
		return peers[0]
	}
	return env.Pods[node]
}
