// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/e2e-framework/klient"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/probe"
)

// pollEvery is how often a wait asks the API server.
const pollEvery = 300 * time.Millisecond

// patience is how long a pod whose sandbox could not be made is given before
// that counts as the answer: an agent that is just starting fails the first
// tries.
const patience = 10 * time.Second

// deploying is the part of a deployment that goes on after deploy returned.
type deploying struct {
	cancel context.CancelFunc
	ended  chan struct{} // nil before it began
	err    error         // once ended is closed
}

// end cuts it short and waits for that; before it began there is nothing to do.
func (d *deploying) end() {
	if d.ended != nil {
		d.cancel()
		<-d.ended
	}
}

// Deployed waits until every probe pod is ready or it is known why not, and the
// Services over them are there. Nodes that cannot start one are for the checks
// to judge, not an error here.
func (s *Session) Deployed(ctx context.Context) error {
	if s.deploying.ended == nil {
		return nil // by another process
	}
	select {
	case <-s.deploying.ended:
		return s.deploying.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// deploy creates the run's namespaces and probe pods, and goes on with what
// Deployed waits for.
func (s *Session) deploy(ctx context.Context) error {
	client, err := klient.New(s.Cluster.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	s.Namespace, s.HostSpace = workloads.Namespaces(s.RunID)
	params := workloads.Params{
		RunID: s.RunID, Image: s.ProbeImage, PreloadedImage: s.Options.ProbeImage == "",
		NamespaceAnnotations: Ownership(),
	}
	objects, err := workloads.Render(params)
	if err != nil {
		return fmt.Errorf("render the fixtures: %w", err)
	}
	pods, services := split(objects)
	if err := s.create(ctx, client, pods); err != nil {
		return err
	}
	if err := s.deployAgents(ctx, client, params); err != nil {
		return err
	}
	if err := s.follow(ctx); err != nil {
		return err
	}
	ctx, s.deploying.cancel = context.WithCancel(ctx)
	s.deploying.ended = make(chan struct{})
	go func() {
		defer close(s.deploying.ended)
		if s.deploying.err = s.awaitProbes(ctx); s.deploying.err == nil {
			// With all backends ready a Service is one change of rules on every
			// node, not one for each of its backends.
			s.deploying.err = s.create(ctx, client, services)
		}
	}()
	if s.Options.ProbeImage != "" {
		// Whether it can be had at all is told before the first check.
		return s.Deployed(ctx)
	}
	return s.awaitAccount(ctx, s.Namespace)
}

// awaitAccount waits for the service account that pods of the namespace get; a
// controller makes it. Without, admission refuses them.
func (s *Session) awaitAccount(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, s.Options.Timeouts.APIRequest)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		_, err := s.Cluster.Client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		// Who may not look is told by the first pod that is refused.
		return err == nil || apierrors.IsForbidden(err), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the service account of namespace %s, which the controller manager makes: %w", namespace, err)
	}
	return nil
}

// split tells Services from what has to be there before.
func split(objects []*unstructured.Unstructured) (before, services []*unstructured.Unstructured) {
	for _, object := range objects {
		if object.GetKind() == "Service" {
			services = append(services, object)
		} else {
			before = append(before, object)
		}
	}
	return before, services
}

// create creates the objects, in order. Those for the host network are left out
// once admission refused one.
func (s *Session) create(ctx context.Context, client klient.Client, objects []*unstructured.Unstructured) error {
	_, hostSpace := workloads.Namespaces(s.RunID)
	for _, object := range objects {
		forHosts := hostSpace == object.GetNamespace() || hostSpace == object.GetName()
		if forHosts && s.HostSpace == "" {
			continue
		}
		err := client.Resources().Create(ctx, object)
		if apierrors.IsForbidden(err) && forHosts {
			// Admission refuses host-network pods: checks that need them say so.
			s.printf("no host-network probes: %v", err)
			s.HostSpace = ""
			continue
		}
		if err != nil {
			return fmt.Errorf("create %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// follow has the run's probe pods followed until Close.
func (s *Session) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.Options.Timeouts.APIRequest)
	defer cancel()
	var err error
	s.pods, err = followPods(ctx, s.Cluster.Client, s.RunID)
	return err
}

func (s *Session) awaitProbes(ctx context.Context) error {
	start := time.Now()
	waiting := map[string]string{}
	poll := func(ctx context.Context) (bool, error) {
		pods := s.pods.pods()
		waiting = s.notReady(pods)
		if len(waiting) == 0 {
			return true, nil
		}
		if time.Since(start) < patience {
			return s.hopeless(pods) != nil, nil
		}
		return s.explained(ctx, pods), nil
	}
	err := wait.PollUntilContextTimeout(ctx, pollEvery, s.Options.Timeouts.FixturesReady, true, poll)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if problem := s.hopeless(s.pods.pods()); problem != nil {
		return problem
	}
	if len(waiting) == 0 {
		s.printf("probe pods ready on every node after %.1f s", time.Since(start).Seconds())
	}
	for _, where := range sortedKeys(waiting) {
		s.printf("no probe on %s: %s", where, waiting[where])
	}
	return nil
}

// notReady tells for each Linux node what keeps its probe pods from being ready;
// keys are "node" or "node (host network)".
func (s *Session) notReady(pods []corev1.Pod) map[string]string {
	waiting := map[string]string{}
	for _, node := range s.Scope() {
		if node.OS != "linux" {
			continue
		}
		for suffix, host := range map[string]bool{"": false, " (host network)": true} {
			i := slices.IndexFunc(pods, func(p corev1.Pod) bool {
				return nodeOf(p) == node.Name && p.Spec.HostNetwork == host && p.DeletionTimestamp == nil
			})
			switch {
			case host && s.HostSpace == "":
			case i < 0:
				waiting[node.Name+suffix] = "the DaemonSet has made no pod for it"
			case !ready(pods[i]):
				waiting[node.Name+suffix] = state(pods[i])
			}
		}
	}
	return waiting
}

// hopeless is the problem that no probe can start anywhere because the image
// cannot be had; waiting longer would not help.
func (s *Session) hopeless(pods []corev1.Pod) error {
	var message string
	for _, p := range pods {
		if ready(p) {
			return nil
		}
		for _, c := range p.Status.ContainerStatuses {
			if w := c.State.Waiting; w != nil && slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}, w.Reason) {
				message = w.Reason + ": " + w.Message
			}
		}
	}
	if message == "" {
		return nil
	}
	return &config.Problem{
		What: fmt.Sprintf("no node can start the probe image %s (%s)", s.ProbeImage, strings.TrimSpace(message)),
		Do:   "publish one the cluster can pull (make probe-image PUSH=registry/name:tag) and pass -probe-image registry/name:tag",
	}
}

// explained tells whether every pod that is not ready has a known reason, an
// event of its sandbox or a node that is not Ready, so that waiting longer is
// pointless.
func (s *Session) explained(ctx context.Context, pods []corev1.Pod) bool {
	failed := map[string]bool{}
	for _, ns := range []string{s.Namespace, s.HostSpace} {
		events, err := s.Cluster.Client.CoreV1().Events(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false
		}
		for _, e := range events.Items {
			switch e.Reason {
			case "FailedCreatePodSandBox", "NetworkNotReady", "FailedMount", "Failed":
				failed[e.InvolvedObject.Name] = true
			}
		}
	}
	notReadyNode := map[string]bool{}
	for _, n := range s.Cluster.Nodes {
		notReadyNode[n.Name] = !n.Ready
	}
	for _, p := range pods {
		if !ready(p) && !failed[p.Name] && !notReadyNode[nodeOf(p)] {
			return false
		}
	}
	return true
}

// probes are the ready probe pods by node, on the pod network and on the host's.
func (s *Session) probes() (onPods, onHosts map[string]probe.Pod) {
	onPods, onHosts = map[string]probe.Pod{}, map[string]probe.Pod{}
	for _, p := range s.pods.pods() {
		if !ready(p) || p.DeletionTimestamp != nil {
			continue
		}
		pod := probe.Pod{Namespace: p.Namespace, Name: p.Name, Container: p.Spec.Containers[0].Name, Node: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork}
		for _, ip := range p.Status.PodIPs {
			pod.IPs = append(pod.IPs, ip.IP)
		}
		if pod.HostNetwork {
			onHosts[pod.Node] = pod
		} else {
			onPods[pod.Node] = pod
		}
	}
	return onPods, onHosts
}

// nodeOf is the node of a DaemonSet's pod also before the scheduler bound it:
// the DaemonSet controller names it in a node affinity term.
func nodeOf(p corev1.Pod) string {
	if p.Spec.NodeName != "" || p.Spec.Affinity == nil || p.Spec.Affinity.NodeAffinity == nil || p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return p.Spec.NodeName
	}
	for _, term := range p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, f := range term.MatchFields {
			if f.Key == "metadata.name" && len(f.Values) == 1 {
				return f.Values[0]
			}
		}
	}
	return ""
}

func ready(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// state is a pod's state in a few words, as kubectl get pods has them.
func state(p corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil {
			return strings.TrimSuffix(w.Reason+": "+w.Message, ": ")
		}
	}
	if p.Spec.NodeName == "" {
		return "not scheduled"
	}
	return string(p.Status.Phase)
}
