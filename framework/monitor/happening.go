// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/cniproof/cniproof/framework/cluster"
)

// What happenings are about.
const (
	AboutNode      = "node"
	AboutCNI       = "cni"
	AboutProxy     = "kube-proxy"
	AboutDNS       = "dns"
	AboutAPIServer = "api-server"
	AboutCommand   = "command"
)

// Happening is something that happened to the cluster. Times of objects are to the
// second, as Kubernetes writes them.
type Happening struct {
	At time.Time `json:"at"`
	// Until is for what lasted; zero for what did not.
	Until time.Time `json:"until,omitzero"`
	About string    `json:"about"`
	Node  string    `json:"node,omitempty"`
	// What is in words that go on after the node's or pod's name, e.g. "became not
	// Ready".
	What string `json:"what"`
}

// Diary notes what happens to nodes, and to the pods that make the network. It is
// safe for concurrent use.
type Diary struct {
	c     *cluster.Cluster
	since time.Time

	mu    sync.Mutex
	noted map[Happening]bool
	nodes map[string]corev1.Node
	pods  map[string]bool // by UID, told of as gone
}

// NewDiary begins one; what is older than since is not noted.
func NewDiary(c *cluster.Cluster, since time.Time) *Diary {
	return &Diary{c: c, since: since.Truncate(time.Second), noted: map[Happening]bool{}, nodes: map[string]corev1.Node{}, pods: map[string]bool{}}
}

// Watch notes what it sees until ctx ends. A watch that breaks is begun again, and
// what objects tell by their own times is noted then.
func (d *Diary) Watch(ctx context.Context) {
	factory := informers.NewSharedInformerFactory(d.c.Client, 0)
	nodes := factory.Core().V1().Nodes().Informer()
	_, _ = nodes.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(o any, _ bool) { d.node(o) },
		UpdateFunc: func(_, o any) { d.node(o) },
		DeleteFunc: func(o any) {
			if n, ok := o.(*corev1.Node); ok {
				d.note(Happening{At: time.Now(), About: AboutNode, Node: n.Name, What: "was deleted"})
			}
		},
	})
	go nodes.Run(ctx.Done())
	for _, agents := range d.agents() {
		of := informers.NewSharedInformerFactoryWithOptions(d.c.Client, 0, informers.WithNamespace(agents.namespace), informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.LabelSelector = agents.selector
		}))
		pods := of.Core().V1().Pods().Informer()
		_, _ = pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { d.pod(agents, o) },
			UpdateFunc: func(_, o any) { d.pod(agents, o) },
			DeleteFunc: func(o any) { d.gone(agents, o) },
		})
		go pods.Run(ctx.Done())
	}
	<-ctx.Done()
}

// Look notes what the objects that are there now tell by their own times.
func (d *Diary) Look(ctx context.Context) error {
	nodes, err := d.c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		d.node(&nodes.Items[i])
	}
	for _, agents := range d.agents() {
		pods, err := d.c.Client.CoreV1().Pods(agents.namespace).List(ctx, metav1.ListOptions{LabelSelector: agents.selector})
		if err != nil {
			return fmt.Errorf("list the pods of %s: %w", agents.name, err)
		}
		for i := range pods.Items {
			d.pod(agents, &pods.Items[i])
		}
	}
	return nil
}

// Note adds what somebody else saw.
func (d *Diary) Note(h Happening) { d.note(h) }

// Happenings are those so far, in the order of time.
func (d *Diary) Happenings() []Happening {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []Happening
	for h := range d.noted {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b Happening) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Node, b.Node), cmp.Compare(a.What, b.What))
	})
	return list
}

// agents are pods that make the network.
type agents struct{ about, name, namespace, selector string }

func (d *Diary) agents() []agents {
	list := []agents{
		{AboutProxy, "kube-proxy", metav1.NamespaceSystem, "k8s-app=kube-proxy"},
		{AboutDNS, "CoreDNS", metav1.NamespaceSystem, "k8s-app=kube-dns"},
	}
	if cni := d.c.CNI; cni.Selector != "" {
		list = append(list, agents{AboutCNI, cni.Kind, cni.Namespace, cni.Selector})
	}
	return list
}

func (d *Diary) note(h Happening) {
	if h.At.Before(d.since) {
		return
	}
	h.At = h.At.UTC().Round(0)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noted[h] = true
}

func (d *Diary) node(object any) {
	n, ok := object.(*corev1.Node)
	if !ok {
		return
	}
	d.mu.Lock()
	before, known := d.nodes[n.Name]
	d.nodes[n.Name] = *n
	d.mu.Unlock()
	happened := func(at time.Time, what string) {
		d.note(Happening{At: at, About: AboutNode, Node: n.Name, What: what})
	}
	for _, c := range n.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		if c.Status == corev1.ConditionTrue {
			happened(c.LastTransitionTime.Time, "became Ready")
		} else {
			happened(c.LastTransitionTime.Time, "became not Ready: "+brief(c.Message))
		}
	}
	happened(n.CreationTimestamp.Time, "joined")
	if !known {
		return
	}
	if n.Spec.Unschedulable != before.Spec.Unschedulable {
		happened(time.Now(), map[bool]string{true: "was cordoned", false: "was uncordoned"}[n.Spec.Unschedulable])
	}
	if was, is := before.Status.NodeInfo.KubeletVersion, n.Status.NodeInfo.KubeletVersion; was != is {
		happened(time.Now(), fmt.Sprintf("kubelet went from %s to %s", was, is))
	}
	if was, is := before.Status.NodeInfo.BootID, n.Status.NodeInfo.BootID; was != is && was != "" {
		happened(time.Now(), "was rebooted")
	}
}

func (d *Diary) pod(a agents, object any) {
	p, ok := object.(*corev1.Pod)
	if !ok || p.Spec.NodeName == "" {
		return
	}
	happened := func(at time.Time, what string) {
		d.note(Happening{At: at, About: a.about, Node: p.Spec.NodeName, What: a.name + " " + what})
	}
	happened(p.CreationTimestamp.Time, "was started anew")
	for _, c := range p.Status.Conditions {
		switch {
		case c.Type != corev1.PodReady:
		case c.Status == corev1.ConditionTrue:
			happened(c.LastTransitionTime.Time, "became ready")
		case !c.LastTransitionTime.Equal(&p.CreationTimestamp):
			happened(c.LastTransitionTime.Time, "became not ready")
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		if t := c.LastTerminationState.Terminated; t != nil {
			happened(t.FinishedAt.Time, fmt.Sprintf("(%s) ended with exit code %d and was restarted", c.Name, t.ExitCode))
		}
	}
	if p.DeletionTimestamp != nil {
		d.gone(a, p)
	}
}

func (d *Diary) gone(a agents, object any) {
	p, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	d.mu.Lock()
	known := d.pods[string(p.UID)]
	d.pods[string(p.UID)] = true
	d.mu.Unlock()
	if !known {
		d.note(Happening{At: time.Now(), About: a.about, Node: p.Spec.NodeName, What: a.name + " was stopped"})
	}
}

// brief is the first line of a message, and not all of that.
func brief(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	return s
}
