// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/cniproof/cniproof/framework/cluster"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// logLines is how much of a container's log is asked for, counted from its end.
const logLines = 5000

// onNodeLog reads a workload's logs where the kubelet keeps them, for when the
// API server or the kubelet does not answer.
func onNodeLog(load workload) command {
	return command{line: fmt.Sprintf("tail -n %d /var/log/pods/*_%s*/*/*.log", logLines, load.prefix), file: "pod-logs/" + strings.TrimSuffix(load.prefix, "-") + ".log"}
}

// logs saves the logs of a workload's pods: through the API server, else from
// the nodes.
func (w *Writer) logs(ctx context.Context, c *cluster.Cluster, s Subject, load workload) {
	pods, err := load.pods(ctx, c, s)
	if err != nil {
		w.fail(w.begin("kubectl get pods -A -l "+load.selector), err)
		for _, node := range s.all() {
			w.logsFromNode(ctx, c, node, onNodeLog(load))
		}
		return
	}
	if len(pods) == 0 {
		where := strings.Join(slices.Compact(load.namespaces), ", ")
		w.fail(w.begin("kubectl get pods -A -l "+load.selector), fmt.Errorf("no pod with label %s in %s", load.selector, where))
		return
	}
	var running sync.WaitGroup
	for _, pod := range pods {
		running.Go(func() { w.podLogs(ctx, c, pod) })
	}
	running.Wait()
}

// podLogs saves the logs of all containers of a pod, and those of their
// previous runs.
func (w *Writer) podLogs(ctx context.Context, c *cluster.Cluster, pod corev1.Pod) {
	for _, name := range containers(pod) {
		if err := w.containerLog(ctx, c, pod, corev1.PodLogOptions{Container: name}); kubeletSilent(err) {
			// The other containers' logs come by the same way.
			w.logsFromNode(ctx, c, pod.Spec.NodeName, command{
				line: fmt.Sprintf("tail -n %d /var/log/pods/%s_%s_*/*/*.log", logLines, pod.Namespace, pod.Name),
				file: "pod-logs/" + fileName(pod.Name) + ".log",
			})
			return
		}
		if restarted(pod, name) {
			_ = w.containerLog(ctx, c, pod, corev1.PodLogOptions{Container: name, Previous: true})
		}
	}
}

// containerLog saves one log and returns why it could not.
func (w *Writer) containerLog(ctx context.Context, c *cluster.Cluster, pod corev1.Pod, o corev1.PodLogOptions) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeouts.NodeCommand)
	defer cancel()
	command := fmt.Sprintf("kubectl logs -n %s %s -c %s --timestamps --tail=%d", pod.Namespace, pod.Name, o.Container, logLines)
	path := fmt.Sprintf("pods/%s/%s/%s.log", pod.Namespace, fileName(pod.Name), o.Container)
	if o.Previous {
		command += " --previous"
		path = strings.TrimSuffix(path, ".log") + ".previous.log"
	}
	lines := int64(logLines)
	o.TailLines, o.Timestamps = &lines, true
	item := w.begin(command)
	item.Path, item.Node, item.Pod = path, pod.Spec.NodeName, pod.Namespace+"/"+pod.Name
	stream, err := c.Client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &o).Stream(ctx)
	if err != nil {
		err = whatTimedOut(err, w.timeouts.NodeCommand)
		w.fail(item, err)
		return err
	}
	defer stream.Close()
	counted := &firstError{Reader: stream}
	w.save(item, counted)
	return counted.err
}

// firstError remembers why reading ended early.
type firstError struct {
	io.Reader
	err error
}

func (f *firstError) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// logsFromNode runs a command that reads pod logs on a node, where there is a
// way to.
func (w *Writer) logsFromNode(ctx context.Context, c *cluster.Cluster, node string, read command) {
	onNode := &Writer{bundle: w.bundle, collector: w.collector, node: node, timeouts: w.timeouts, since: w.since}
	if c.Access == nil || node == "" {
		return // the API server's refusal is in the manifest
	}
	a := onNode.ask(ctx, c, []command{read})[0]
	if a.err == nil && a.code != 0 && bytes.Contains(a.complaint, []byte("No such file")) {
		a.err = fmt.Errorf("no such log on this node")
	}
	onNode.keep(c, read, a)
}

// containers are the names of all containers of a pod in the order they start.
func containers(pod corev1.Pod) []string {
	var names []string
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		names = append(names, c.Name)
	}
	return names
}

// restarted tells whether a container ran before.
func restarted(pod corev1.Pod, name string) bool {
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.Name == name {
			return s.RestartCount > 0 || s.LastTerminationState.Terminated != nil
		}
	}
	return false
}

// kubeletSilent tells a kubelet (or a way to it) that does not answer from one
// that says that there is no such log.
func kubeletSilent(err error) bool {
	return err != nil && !apierrors.IsBadRequest(err) && !apierrors.IsNotFound(err)
}
