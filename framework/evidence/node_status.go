// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"
	"sync"

	"github.com/cniproof/cniproof/framework/cluster"
	"k8s.io/kubectl/pkg/describe"
)

var _ = Register(Collector{
	Name: "node-status", Title: "node status and events", Always: true,
	Steps: []Step{{Command: "kubectl describe node <node>", Yields: "nodes/<node>/describe.txt"}},
	Once:  collectNodeStatus,
})

func collectNodeStatus(ctx context.Context, c *cluster.Cluster, s Subject, w *Writer) error {
	var running sync.WaitGroup
	for _, node := range s.all() {
		running.Go(func() {
			item := w.begin("kubectl describe node " + node)
			item.Path, item.Node = "nodes/"+fileName(node)+"/describe.txt", node
			text, err := describeNode(ctx, c, node)
			if err != nil {
				w.fail(item, err)
				return
			}
			w.saveText(item, text)
		})
	}
	running.Wait()
	return nil
}

// describeNode is kubectl's own code, which knows no context and dereferences
// nil when listing events fails.
func describeNode(ctx context.Context, c *cluster.Cluster, node string) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- result{err: fmt.Errorf("describe node %s: %v", node, p)}
			}
		}()
		describer := describe.NodeDescriber{Interface: c.Client}
		text, err := describer.Describe("", node, describe.DescriberSettings{ShowEvents: true, ChunkSize: 500})
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", fmt.Errorf("describe node %s: %w", node, context.Cause(ctx))
	}
}
