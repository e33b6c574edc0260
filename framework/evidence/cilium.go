// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/cniproof/cniproof/framework/cluster"
)

var ciliumNamespaces = []string{"kube-system", "cilium"}

var _ = Register(logsOf("cilium-logs", "Cilium pod logs",
	workload{selector: "k8s-app=cilium", namespaces: ciliumNamespaces, prefix: "cilium-", everyNode: true},
	workload{selector: "io.cilium/app=operator", namespaces: ciliumNamespaces, prefix: "cilium-operator-"},
))

// ciliumState asks the agent over the socket its own CNI plugin uses, which
// needs no exec into its pod.
var ciliumState = []command{
	{line: "curl -sS -m 2 --unix-socket /var/run/cilium/cilium.sock http://localhost/v1/healthz", file: "cilium/healthz.json", answers: true},
	{line: "ls -la /var/run/cilium", file: "cilium/listing.txt", answers: true},
	{line: "cat /var/run/cilium/cilium-cni.log", file: "cilium/cilium-cni.log"},
}

var _ = Register(Collector{
	Name: "cilium-state", Title: "Cilium's state on the node", Always: true, CNI: "cilium",
	Steps: steps(ciliumState), PerNode: perNode(ciliumState),
})

// ciliumPolicies are the kinds of policy that only Cilium knows.
var ciliumPolicies = []string{"ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"}

var _ = Register(Collector{
	Name: "cilium-policies", Title: "Cilium's own network policies", Always: true, CNI: "cilium",
	Steps: []Step{
		{Command: "kubectl get ciliumnetworkpolicies -A -o yaml", Yields: "cluster/ciliumnetworkpolicies.yaml"},
		{Command: "kubectl get ciliumclusterwidenetworkpolicies -A -o yaml", Yields: "cluster/ciliumclusterwidenetworkpolicies.yaml"},
	},
	Once: func(ctx context.Context, c *cluster.Cluster, _ Subject, w *Writer) error {
		client, err := dynamic.NewForConfig(c.Config)
		if err != nil {
			return fmt.Errorf("make a client for Cilium's policies: %w", err)
		}
		for _, kind := range ciliumPolicies {
			item := w.begin("kubectl get " + kind + " -A -o yaml")
			item.Path = "cluster/" + kind + ".yaml"
			list, err := client.Resource(schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: kind}).List(ctx, metav1.ListOptions{})
			if err != nil {
				w.fail(item, err)
				continue
			}
			text, err := toYAML(list, nil)
			if err != nil {
				w.fail(item, err)
				continue
			}
			w.saveText(item, text)
		}
		return nil
	},
})
