// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/cniproof/cniproof/fixtures/probe/job"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// A cluster-wide policy of Cilium allows pods to talk to everything but on port 53:
// whoever wrote it listed what the applications need, and forgot DNS.
var _ = scenario.Register(scenario.Scenario{
	Name:     "policy_forgets_dns",
	Title:    "a policy lets pods out, and forgets DNS",
	Expects:  diagnosis.NetworkPolicyBlocks,
	Topology: "cilium",
	Breaks:   []string{"dns.service-name"},
	MayBreak: []string{"dns", "policy", "audit", "egress", "service", "mtu", "pod"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		policies, err := clusterwide(t)
		if err != nil {
			return err
		}
		_, err = policies.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy",
			"metadata": map[string]any{"name": noDNS},
			"spec": map[string]any{
				"endpointSelector": map[string]any{"matchExpressions": []any{
					map[string]any{"key": "io.kubernetes.pod.namespace", "operator": "NotIn", "values": []any{"kube-system"}},
				}},
				"egress": []any{map[string]any{
					"toEntities": []any{"all"},
					"toPorts":    []any{map[string]any{"ports": allowed()}},
				}},
			},
		}}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		policies, err := clusterwide(t)
		if err != nil {
			return err
		}
		if err := policies.Delete(ctx, noDNS, metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
			return err
		}
		return nil
	},
	Look: func(scenario.Target) []string {
		return []string{"kubectl get ciliumclusterwidenetworkpolicies -o yaml"}
	},
})

const noDNS = "site-allowed-ports"

// allowed are the ports of the applications: those of the probes.
func allowed() []any {
	var ports []any
	for _, port := range []uint16{job.PortHTTP, job.PortTCP, job.PortUDP, 443, 6443} {
		ports = append(ports, map[string]any{"port": strconv.Itoa(int(port)), "protocol": "ANY"})
	}
	return ports
}

// clusterwide is a client for Cilium's cluster-wide policies.
func clusterwide(t scenario.Target) (dynamic.ResourceInterface, error) {
	client, err := dynamic.NewForConfig(t.Cluster.Config)
	if err != nil {
		return nil, err
	}
	return client.Resource(schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumclusterwidenetworkpolicies"}), nil
}
