// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

const (
	eventColumns     = " --sort-by=.lastTimestamp -o custom-columns=LAST:.lastTimestamp,COUNT:.count,TYPE:.type,REASON:.reason,KIND:.involvedObject.kind,OBJECT:.involvedObject.name,SOURCE:.source.component,MESSAGE:.message"
	eventsCommand    = "kubectl get events -n <namespace>" + eventColumns
	nodeEventCommand = "kubectl get events -n default --field-selector involvedObject.kind=Node" + eventColumns
)

var _ = Register(Collector{
	Name: "events", Title: "events", Always: true,
	Steps: []Step{
		{Command: eventsCommand, Yields: "cluster/<namespace>/events.txt"},
		{Command: nodeEventCommand, Yields: "cluster/node-events.txt"},
	},
	Once: collectEvents,
})

func collectEvents(ctx context.Context, c *cluster.Cluster, s Subject, w *Writer) error {
	var lists errgroup.Group
	lists.SetLimit(parallelLists)
	for _, namespace := range everyNamespace(c, s) {
		item := w.begin(fill(eventsCommand, "<namespace>", namespace))
		item.Path = fmt.Sprintf("cluster/%s/events.txt", namespace)
		lists.Go(func() error { w.events(ctx, c, item, eventList{namespace: namespace}); return nil })
	}
	item := w.begin(nodeEventCommand)
	item.Path = "cluster/node-events.txt"
	// The kubelet and the node controller write nodes' events there.
	lists.Go(func() error { w.events(ctx, c, item, eventList{metav1.NamespaceDefault, "Node"}); return nil })
	return lists.Wait()
}

// eventList is which events to list: a namespace's, of all kinds of objects or
// of one.
type eventList struct{ namespace, kind string }

func (w *Writer) events(ctx context.Context, c *cluster.Cluster, item Item, wanted eventList) {
	list, err := listEvents(ctx, c, wanted)
	switch {
	case errors.Is(err, errMoreEvents):
		item.Truncated, item.Reason = true, err.Error()
	case err != nil:
		w.fail(item, err)
		return
	}
	w.saveText(item, eventTable(list))
}

// mostEvents is how many events of a namespace are read; errMoreEvents tells
// that there are more.
const mostEvents = 5000

var errMoreEvents = fmt.Errorf("only %d events were read", mostEvents)

func listEvents(ctx context.Context, c *cluster.Cluster, wanted eventList) ([]corev1.Event, error) {
	var all []corev1.Event
	options := metav1.ListOptions{Limit: 500}
	if wanted.kind != "" {
		options.FieldSelector = fields.OneTermEqualSelector("involvedObject.kind", wanted.kind).String()
	}
	for {
		list, err := c.Client.CoreV1().Events(wanted.namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list events of %s: %w", wanted.namespace, err)
		}
		all = append(all, list.Items...)
		if options.Continue = list.Continue; options.Continue == "" {
			return all, nil
		}
		if len(all) >= mostEvents {
			return all, errMoreEvents
		}
	}
}

// eventTable prints events in order of time, with absolute times because a
// bundle is read later.
func eventTable(events []corev1.Event) string {
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return cmp.Compare(lastSeen(a).UnixNano(), lastSeen(b).UnixNano()) })
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "LAST\tCOUNT\tTYPE\tREASON\tKIND\tOBJECT\tSOURCE\tMESSAGE")
	for _, e := range events {
		count := e.Count
		if e.Series != nil {
			count = e.Series.Count
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", lastSeen(e).UTC().Format(time.RFC3339), max(count, 1), e.Type, e.Reason,
			e.InvolvedObject.Kind, e.InvolvedObject.Name, cmp.Or(e.Source.Component, e.ReportingController), strings.Join(strings.Fields(e.Message), " "))
	}
	table.Flush()
	return text.String()
}

// lastSeen is the newest of the times an event may have.
func lastSeen(e corev1.Event) time.Time {
	last := e.LastTimestamp.Time
	if e.Series != nil && e.Series.LastObservedTime.After(last) {
		last = e.Series.LastObservedTime.Time
	}
	for _, t := range []time.Time{e.EventTime.Time, e.FirstTimestamp.Time, e.CreationTimestamp.Time} {
		if last.IsZero() {
			last = t
		}
	}
	return last
}
