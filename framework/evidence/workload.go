// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cniproof/cniproof/framework/cluster"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// workload is pods the pod network depends on, known by their label.
type workload struct {
	// selector finds its pods and namespaces are where they may be; other
	// people's pods may have the same label elsewhere.
	selector   string
	namespaces []string
	// prefix begins its pods' names: how to find their logs on a node when the
	// API server cannot say.
	prefix string
	// everyNode tells that it has a pod on each node: only those of the
	// subject's nodes are looked at.
	everyNode bool
}

var workloads struct {
	sync.Mutex
	all []workload
}

// logsOf is a collector of the logs of workloads; it also makes them known to
// the collector of pod status.
func logsOf(name, title string, loads ...workload) Collector {
	workloads.Lock()
	workloads.all = append(workloads.all, loads...)
	workloads.Unlock()
	var documented []Step
	for _, load := range loads {
		command := fmt.Sprintf("kubectl logs -n %s -l %s --all-containers --prefix --timestamps --tail=%d", load.namespaces[0], load.selector, logLines)
		documented = append(documented,
			Step{Command: command, Yields: "pods/<namespace>/<pod>/<container>.log"},
			Step{Command: command + " --previous", Yields: "pods/<namespace>/<pod>/<container>.previous.log"},
			Step{Command: onNodeLog(load).line, Yields: "nodes/<node>/" + onNodeLog(load).file})
	}
	return Collector{
		Name: name, Title: title, Always: true, Steps: documented,
		Once: func(ctx context.Context, c *cluster.Cluster, s Subject, w *Writer) error {
			var running sync.WaitGroup
			for _, load := range loads {
				running.Go(func() { w.logs(ctx, c, s, load) })
			}
			running.Wait()
			return nil
		},
	}
}

// known are the workloads of all collectors, sorted by selector.
func known() []workload {
	workloads.Lock()
	defer workloads.Unlock()
	all := slices.Clone(workloads.all)
	slices.SortFunc(all, func(a, b workload) int { return strings.Compare(a.selector, b.selector) })
	return all
}

// mostPods is how many pods of a workload that is not on every node are looked
// at.
const mostPods = 6

// pods are the workload's: on the subject's nodes where it is on every node,
// else a few, those that are not healthy first.
func (load workload) pods(ctx context.Context, c *cluster.Cluster, s Subject) ([]corev1.Pod, error) {
	options := []metav1.ListOptions{{LabelSelector: load.selector}}
	if load.everyNode {
		options = nil
		for _, node := range s.all() {
			options = append(options, metav1.ListOptions{
				LabelSelector: load.selector, FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String(),
			})
		}
	}
	namespaces := append([]string{c.CNI.Namespace}, load.namespaces...)
	var pods []corev1.Pod
	for _, o := range options {
		list, err := c.Client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
		if err != nil {
			return pods, fmt.Errorf("list pods with label %s: %w", load.selector, err)
		}
		for _, pod := range list.Items {
			if slices.Contains(namespaces, pod.Namespace) {
				pods = append(pods, pod)
			}
		}
	}
	if load.everyNode {
		return pods, nil
	}
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int { return rank(a) - rank(b) })
	return pods[:min(len(pods), mostPods)], nil
}

func rank(pod corev1.Pod) int {
	if healthy(pod) {
		return 1
	}
	return 0
}

// healthy tells whether a pod runs, is ready and never restarted.
func healthy(pod corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning {
		return false
	}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if status.RestartCount > 0 {
			return false
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if !status.Ready {
			return false
		}
	}
	return true
}
