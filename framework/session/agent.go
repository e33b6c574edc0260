// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/e2e-framework/klient"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
)

// deployAgents makes a way onto the nodes where the user asked for one, or where
// there is none and admission allows it: agents, which are there before the
// first check, since a CNI, a kubelet or a runtime that breaks later lets none
// start.
func (s *Session) deployAgents(ctx context.Context, client klient.Client, p workloads.Params) error {
	mode := s.Options.NodeAgent
	if mode == config.AgentOff || mode == config.AgentAuto && s.Cluster.Access != nil {
		return nil
	}
	err := s.createAgents(ctx, client, p)
	if err == nil {
		s.Agents = true
		s.useAgents()
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if mode == config.AgentOn {
		return &config.Problem{
			What: "a node agent, a privileged pod on every node, cannot be deployed",
			Do:   "allow privileged pods in namespaces labelled pod-security.kubernetes.io/enforce=privileged, or run with -node-agent=off",
			Err:  err,
		}
	}
	s.printf("no access to the nodes, evidence of them will be what the kubelets' log endpoints give: %v", err)
	return nil
}

// createAgents asks admission about one agent before it creates them: a
// DaemonSet is admitted also where none of its pods will be.
func (s *Session) createAgents(ctx context.Context, client klient.Client, p workloads.Params) error {
	if s.HostSpace == "" {
		return errors.New("admission refuses pods on the host network")
	}
	agents, err := workloads.RenderAgent(p)
	if err != nil {
		return fmt.Errorf("render the node agents: %w", err)
	}
	if err := s.awaitAccount(ctx, s.HostSpace); err != nil {
		return err
	}
	template, _, err := unstructured.NestedMap(agents.Object, "spec", "template")
	if err != nil {
		return err
	}
	var one corev1.PodTemplateSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &one); err != nil {
		return err
	}
	pod := &corev1.Pod{ObjectMeta: one.ObjectMeta, Spec: one.Spec}
	pod.GenerateName = workloads.AppAgent + "-"
	_, err = s.Cluster.Client.CoreV1().Pods(s.HostSpace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	// A webhook that cannot be asked without consequences says nothing of the pod.
	if err != nil && !apierrors.IsBadRequest(err) {
		return err
	}
	return client.Resources().Create(ctx, agents)
}

// useAgents makes them the way onto the nodes.
func (s *Session) useAgents() {
	_, hosts := workloads.Namespaces(s.RunID)
	s.Cluster.Access = cluster.AgentAccess(s.Cluster.Config, s.Cluster.Client, cluster.Agents{
		Namespace: hosts, Selector: workloads.AgentLabel + "=" + workloads.AppAgent,
		Container: workloads.AgentContainer, Enter: workloads.AgentEnter, Patience: s.Options.Timeouts.NodeCommand,
	})
}
