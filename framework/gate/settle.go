// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
)

// settle waits until the cluster's nodes are Ready, its DaemonSets and Deployments
// of the system rolled out, and that has been so for Timeouts.Settled. It returns
// what had not settled after Timeouts.Settle.
func settle(ctx context.Context, c *cluster.Cluster, timeouts config.Timeouts) string {
	ctx, cancel := context.WithTimeout(ctx, timeouts.Settle)
	defer cancel()
	calm := time.Time{}
	for restless := ""; ; {
		now, err := unrest(ctx, c)
		switch {
		case ctx.Err() != nil:
			return restless
		case err != nil:
			restless, calm = "the API server does not answer: "+err.Error(), time.Time{}
		case now != "":
			restless, calm = now, time.Time{}
		case calm.IsZero():
			restless, calm = "it had just come to rest", time.Now()
		case time.Since(calm) >= timeouts.Settled:
			return ""
		}
		select {
		case <-ctx.Done():
			return restless
		case <-time.After(time.Second):
		}
	}
}

// unrest says what is not as it is to be; empty when all is.
func unrest(ctx context.Context, c *cluster.Cluster) (string, error) {
	var restless []string
	nodes, err := c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	for _, n := range nodes.Items {
		if !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) {
			restless = append(restless, "node "+n.Name+" is not Ready")
		}
	}
	spaces := []string{metav1.NamespaceSystem}
	if c.CNI.Namespace != "" && c.CNI.Namespace != metav1.NamespaceSystem {
		spaces = append(spaces, c.CNI.Namespace)
	}
	for _, space := range spaces {
		sets, err := c.Client.AppsV1().DaemonSets(space).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		for _, d := range sets.Items {
			s := d.Status
			rolling := d.Spec.UpdateStrategy.Type == "RollingUpdate" && s.UpdatedNumberScheduled < s.DesiredNumberScheduled
			if s.ObservedGeneration < d.Generation || s.NumberReady < s.DesiredNumberScheduled || rolling {
				restless = append(restless, fmt.Sprintf("DaemonSet %s/%s has %d of %d pods ready", space, d.Name, s.NumberReady, s.DesiredNumberScheduled))
			}
		}
		deployments, err := c.Client.AppsV1().Deployments(space).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		for _, d := range deployments.Items {
			wanted := int32(1)
			if d.Spec.Replicas != nil {
				wanted = *d.Spec.Replicas
			}
			if s := d.Status; s.ObservedGeneration < d.Generation || s.ReadyReplicas < wanted || s.UpdatedReplicas < wanted || s.Replicas > wanted {
				restless = append(restless, fmt.Sprintf("Deployment %s/%s has %d of %d pods ready", space, d.Name, s.ReadyReplicas, wanted))
			}
		}
	}
	return strings.Join(restless, "; "), nil
}
