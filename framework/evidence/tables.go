// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cniproof/cniproof/framework/cluster"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
)

var _ = Register(Collector{
	Name: "tables", Title: "nodes and pods at a glance", Always: true,
	Steps: []Step{
		{Command: "kubectl get nodes -o wide", Yields: "cluster/nodes.txt"},
		{Command: "kubectl get pods -A -o wide", Yields: "cluster/pods.txt"},
	},
	Once: func(ctx context.Context, c *cluster.Cluster, _ Subject, w *Writer) error {
		w.table(ctx, c, "nodes", "kubectl get nodes -o wide")
		w.table(ctx, c, "pods", "kubectl get pods -A -o wide")
		return nil
	},
})

func (w *Writer) table(ctx context.Context, c *cluster.Cluster, resource, command string) {
	item := w.begin(command)
	item.Path = "cluster/" + resource + ".txt"
	text, err := table(ctx, c, resource)
	if err != nil {
		w.fail(item, err)
		return
	}
	w.saveText(item, text)
}

// table prints what the API server prints for kubectl: a meta.k8s.io Table.
func table(ctx context.Context, c *cluster.Cluster, resource string) (string, error) {
	if c.Config == nil {
		return "", errors.New("no connection to an API server")
	}
	data, err := c.Client.CoreV1().RESTClient().Get().Resource(resource).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx).Raw()
	if err != nil {
		return "", fmt.Errorf("list %s: %w", resource, err)
	}
	var list metav1.Table
	if err := json.Unmarshal(data, &list); err != nil {
		return "", fmt.Errorf("parse the table of %s: %w", resource, err)
	}
	for i, row := range list.Rows {
		object, err := runtime.Decode(unstructured.UnstructuredJSONScheme, row.Object.Raw)
		if err != nil {
			return "", fmt.Errorf("parse a row of %s: %w", resource, err)
		}
		list.Rows[i].Object.Object = object
	}
	var text bytes.Buffer
	printer := printers.NewTablePrinter(printers.PrintOptions{Wide: true, WithNamespace: resource == "pods"})
	if err := printer.PrintObj(&list, &text); err != nil {
		return "", fmt.Errorf("print the table of %s: %w", resource, err)
	}
	return text.String(), nil
}
