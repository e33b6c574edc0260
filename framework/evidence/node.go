// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fewNodes is how many nodes are looked at when a failure names none.
const fewNodes = 3

// placed is the subject with nodes: its own, else a few, those that are not
// Ready first.
func placed(s Subject, c *cluster.Cluster) Subject {
	if len(s.Nodes) > 0 {
		return s
	}
	nodes := slices.Clone(c.Nodes)
	slices.SortStableFunc(nodes, func(a, b cluster.Node) int { return cmp.Compare(order(a), order(b)) })
	for _, n := range nodes[:min(len(nodes), fewNodes)] {
		if n.Name != s.Healthy {
			s.Nodes = append(s.Nodes, n.Name)
		}
	}
	return s
}

func order(n cluster.Node) int {
	if n.Ready {
		return 1
	}
	return 0
}

// all are the nodes to look at, the healthy one last.
func (s Subject) all() []string {
	nodes := slices.Clone(s.Nodes)
	if s.Healthy != "" && !slices.Contains(nodes, s.Healthy) {
		nodes = append(nodes, s.Healthy)
	}
	return nodes
}

// involved are the namespaces of the run and of the pods involved, sorted.
func (s Subject) involved() []string {
	namespaces := slices.Clone(s.Namespaces)
	for _, pod := range s.Pods {
		if namespace, _, ok := strings.Cut(pod, "/"); ok {
			namespaces = append(namespaces, namespace)
		}
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}

// hello is what a node is asked first, to learn whether it answers at all.
var hello = []command{{line: "date; uptime; uname -a", file: "uptime.txt", answers: true}}

// nodeAccess goes before the other collectors of a node: they are not run on
// one that does not answer.
var nodeAccess = Register(Collector{
	Name: "node-access", Title: "whether the node answers", Always: true,
	Steps: steps(hello),
	PerNode: func(ctx context.Context, c *cluster.Cluster, _ string, w *Writer) error {
		return w.greet(ctx, c)
	},
})

// greet returns an error that says what is known of the node when it does not
// answer.
func (w *Writer) greet(ctx context.Context, c *cluster.Cluster) error {
	if c.Access == nil {
		return errors.New("no way to run commands on nodes of this cluster (see -node-agent)")
	}
	// Twice a command's time: a node that is merely slow must not lose all its
	// evidence.
	a := w.askFor(ctx, c, 2*w.timeouts.NodeCommand, hello)[0]
	if a.err == nil {
		w.keep(c, hello[0], a)
		return nil
	}
	// Not wrapped: one silence is not a timeout of every command.
	return fmt.Errorf("%s does not answer (%v); API server's last word: %s", w.node, a.err, w.lastWord(ctx, c))
}

// lastWord is what the API server says of a node.
func (w *Writer) lastWord(ctx context.Context, c *cluster.Cluster) string {
	ctx, cancel := context.WithTimeout(ctx, w.timeouts.APIRequest)
	defer cancel()
	node, err := c.Client.CoreV1().Nodes().Get(ctx, w.node, metav1.GetOptions{})
	if err != nil {
		return "none (" + err.Error() + ")"
	}
	for _, cond := range node.Status.Conditions {
		if cond.Type != corev1.NodeReady {
			continue
		}
		state := map[corev1.ConditionStatus]string{corev1.ConditionTrue: "Ready", corev1.ConditionFalse: "NotReady"}[cond.Status]
		return fmt.Sprintf("%s since %s: %s", cmp.Or(state, "Ready is unknown"), cond.LastTransitionTime.UTC().Format(time.RFC3339), cond.Message)
	}
	return "no Ready condition"
}

// absent records every documented command as not run on the writer's node, as a
// person can type it.
func (w *Writer) absent(c *cluster.Cluster, steps []Step, err error) {
	describe := cluster.DescribeDebug
	if c.Access != nil {
		describe = c.Access.Describe
	}
	for _, step := range steps {
		line := w.filled([]command{{line: step.Command}})[0]
		w.fail(w.begin(describe(w.node, line.argv())), err)
	}
}
