// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/fleet"
)

// enforce is the label of PodSecurity admission.
const enforce = "pod-security.kubernetes.io/enforce"

// A pod that keeps to PodSecurity restricted (no root, no capability, the
// runtime's seccomp profile, no host network) has its network and runs, on every
// node. It is the probe pod of each node, in the run's namespace where restricted
// is enforced; that it really is, a pod on the host network shows, which is
// offered as a dry run and must be refused. No pod is made.
//
// What could fool it: an API server that does not enforce PodSecurity, where
// such a pod proves nothing; an image that could not be had, which is
// inconclusive.
//
// Turns red with: a runc that fails where process.noNewPrivileges is set (on a node)
var _ = check.Register(check.Check{
	ID:       "sandbox.restricted",
	Title:    "a pod under PodSecurity restricted runs on every node",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Run: func(ctx context.Context, env *check.Env) error {
		if err := enforced(ctx, env); err != nil {
			return err
		}
		nodes, unable := fleet.Able(env)
		list, err := env.Cluster.Client.CoreV1().Pods(env.Namespace).List(ctx, metav1.ListOptions{LabelSelector: workloads.ProbeLabel + "=" + workloads.AppPod})
		if err != nil {
			return &check.Inconclusive{Why: "the probe pods could not be listed", Err: err}
		}
		found := map[string]error{}
		for i := range list.Items {
			found[list.Items[i].Spec.NodeName] = runs(&list.Items[i])
		}
		errs := []error{unable}
		for _, n := range nodes {
			outcome, ok := found[n.Name]
			if !ok {
				outcome = &check.Inconclusive{Node: n.Name, Why: "it has no probe pod"}
			}
			errs = append(errs, outcome)
		}
		return errors.Join(errs...)
	},
})

// enforced is nil where the run's namespace takes no pod that breaks the rules.
func enforced(ctx context.Context, env *check.Env) error {
	core := env.Cluster.Client.CoreV1()
	namespace, err := core.Namespaces().Get(ctx, env.Namespace, metav1.GetOptions{})
	if err != nil || namespace.Labels[enforce] != "restricted" {
		return &check.Inconclusive{Why: fmt.Sprintf("namespace %s is not known to be restricted", env.Namespace), Err: err}
	}
	breaks := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "refused-", Namespace: env.Namespace, Labels: map[string]string{workloads.ManagedByLabel: workloads.ManagedBy}},
		Spec:       corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Name: workloads.Container, Image: env.ProbeImage}}},
	}
	_, err = core.Pods(env.Namespace).Create(ctx, breaks, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return &check.Inconclusive{Why: "whether PodSecurity is enforced could not be asked", Err: err}
	}
	return &check.NotApplicable{Lacks: "PodSecurity admission: it takes a pod on the host network into a namespace that is restricted"}
}

// runs is the outcome of a pod that was to run.
func runs(pod *corev1.Pod) error {
	for _, c := range pod.Status.ContainerStatuses {
		switch w := c.State.Waiting; {
		case c.State.Running != nil:
			return nil
		case w != nil && (w.Reason == "CreateContainerError" || w.Reason == "CreateContainerConfigError" || w.Reason == "RunContainerError" || w.Reason == "CrashLoopBackOff"):
			last := ""
			if t := c.LastTerminationState.Terminated; t != nil {
				last = fmt.Sprintf("; it ended with exit code %d: %s %s", t.ExitCode, t.Reason, t.Message)
			}
			return &check.Failure{
				Node: pod.Spec.NodeName, Pods: []string{pod.Namespace + "/" + pod.Name},
				Wanted: "the pod to run with what restricted leaves it", Observed: w.Reason + ": " + w.Message + last,
			}
		}
	}
	return &check.Inconclusive{Node: pod.Spec.NodeName, Why: fmt.Sprintf("pod %s does not run and its status does not say why", pod.Name)}
}
