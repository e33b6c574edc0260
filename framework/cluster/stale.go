// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// stale returns why a kept cluster cannot be used for the plan, nil where it
// can. It answers within Timeouts.Connect. err says that it could not find out.
func (k *kind) stale(ctx context.Context, r record, p plan) (why, err error) {
	if !r.Ready {
		return errors.New("its creation was interrupted"), nil
	}
	containers, err := containersWith(ctx, labelKindCluster, r.Name)
	if err != nil {
		return nil, err
	}
	if why := sameRuns(r.Containers, containers); why != nil {
		return why, nil
	}
	if r.Inputs != p.inputs {
		return errors.New("it was made from another node image, topology or manifest, or for another host"), nil
	}
	client, err := k.client(r)
	if err != nil {
		return fmt.Errorf("its kubeconfig cannot be used: %w", err), nil
	}
	bounded, cancel := context.WithTimeout(ctx, k.Timeouts.Connect)
	defer cancel()
	if err := nodesReady(bounded, client); err != nil {
		return fmt.Errorf("its nodes are not ready: %w", err), ctx.Err()
	}
	if err := coreDNSReady(bounded, client); err != nil {
		return fmt.Errorf("its DNS is not ready: %w", err), ctx.Err()
	}
	return nil, nil
}

// sameRuns returns which container does not run as it did when the cluster was
// made. A node that was started again is another node: its network is half what
// it was, and it may have another address.
func sameRuns(recorded []containerRun, observed []container) error {
	for _, wanted := range recorded {
		i := slices.IndexFunc(observed, func(c container) bool { return c.ID == wanted.ID })
		switch {
		case i < 0:
			return fmt.Errorf("container %s is gone", wanted.Name)
		case !observed[i].State.Running:
			return fmt.Errorf("container %s does not run: it is %s", wanted.Name, observed[i].State.Status)
		case observed[i].State.StartedAt != wanted.Started:
			return fmt.Errorf("container %s was stopped and started since", wanted.Name)
		}
	}
	return nil
}

// nodesReady waits until there are nodes and all of them are Ready.
func nodesReady(ctx context.Context, client kubernetes.Interface) error {
	return everyNode(ctx, client, func(item corev1.Node) error {
		if node := newNode(item); !node.Ready {
			return fmt.Errorf("node %s is not Ready: %s", node.Name, node.NotReadyReason)
		}
		return nil
	})
}

// networkUp waits until all nodes are Ready and their CNI agents say that the
// network is there. Flannel and Cilium do that by a node condition.
func networkUp(ctx context.Context, client kubernetes.Interface) error {
	if err := nodesReady(ctx, client); err != nil {
		return err
	}
	return everyNode(ctx, client, func(item corev1.Node) error {
		up := slices.ContainsFunc(item.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeNetworkUnavailable && c.Status == corev1.ConditionFalse
		})
		if !up {
			return fmt.Errorf("the CNI agent of node %s does not say that the network is up", item.Name)
		}
		return nil
	})
}

// everyNode polls until there are nodes and check is content with all of them.
func everyNode(ctx context.Context, client kubernetes.Interface, check func(corev1.Node) error) error {
	return poll(ctx, func(ctx context.Context) error {
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		if len(list.Items) == 0 {
			return errors.New("the cluster has no nodes")
		}
		for _, item := range list.Items {
			if err := check(item); err != nil {
				return err
			}
		}
		return nil
	})
}
