// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/cniproof/cniproof/framework/config"
)

// ExistingOptions say which cluster Existing connects to.
type ExistingOptions struct {
	// Kubeconfig is a path, or a list of them as in KUBECONFIG.
	Kubeconfig string
	// Context is one of the kubeconfig; empty is the current one.
	Context string
	// Timeouts bounds Up with Connect.
	Timeouts config.Timeouts
	// Log takes what Up has to say; nil is nowhere.
	Log io.Writer
}

// Existing provides a cluster that is there already. It creates and removes
// nothing: Down does nothing. Where the cluster is one that Kind made on this
// machine, it is Owned all the same, and where the nodes are containers of the
// local engine there is node access.
func Existing(o ExistingOptions) Provider {
	if o.Log == nil {
		o.Log = io.Discard
	}
	return &existing{o}
}

type existing struct{ ExistingOptions }

func (e *existing) Kubeconfig() string { return e.ExistingOptions.Kubeconfig }

func (e *existing) Down(context.Context) error { return nil }

// Up connects within Timeouts.Connect. Whatever is wrong with the kubeconfig,
// the API server, the user's permissions or all of the nodes is a *config.Problem.
func (e *existing) Up(ctx context.Context) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeouts.Connect)
	defer cancel()
	client, name, err := readKubeconfig(e.ExistingOptions.Kubeconfig, e.Context)
	if err != nil {
		return nil, err
	}
	return e.connect(ctx, client, name)
}

// connect reaches the cluster, makes sure that a run is possible on it and
// detects what it is made of.
func (e *existing) connect(ctx context.Context, client *rest.Config, name string) (*Cluster, error) {
	clientset, err := kubernetes.NewForConfig(client)
	if err != nil {
		return nil, &config.Problem{What: fmt.Sprintf("cluster %s cannot be connected to", name), Do: "check the kubeconfig's cluster and user entries", Err: plain(err)}
	}
	c := &Cluster{Name: name, Config: client, Client: clientset}
	if c.Server, err = reach(ctx, clientset, client.Host); err != nil {
		return nil, err
	}
	if err := mayRun(ctx, clientset); err != nil {
		return nil, err
	}
	list, err := clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, unreachable(client.Host, err)
	}
	for _, node := range list.Items {
		c.Nodes = append(c.Nodes, newNode(node))
	}
	slices.SortFunc(c.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	if err := anyReady(c); err != nil {
		return nil, err
	}
	e.attach(ctx, c, list.Items)
	if err := detect(ctx, c); err != nil {
		return nil, unreachable(client.Host, err)
	}
	return c, nil
}

// attach gives the cluster node access where there is a way. Looking for one is worth
// no more time than a command on a node, unless the nodes say that they are
// containers: an engine that is late has all the time there is.
func (e *existing) attach(ctx context.Context, c *Cluster, nodes []corev1.Node) {
	kind := strings.HasPrefix(nodes[0].Spec.ProviderID, "kind://")
	if !kind {
		bounded, cancel := context.WithTimeout(ctx, e.Timeouts.NodeCommand)
		defer cancel()
		ctx = bounded
	}
	if err := attach(ctx, c, nodes); err != nil && kind {
		fmt.Fprintf(e.Log, "cluster: no container access to the nodes: %v\n", err)
	}
}

// anyReady returns a *config.Problem where pods cannot run on any node.
func anyReady(c *Cluster) error {
	if len(c.Nodes) == 0 {
		return &config.Problem{What: fmt.Sprintf("cluster %s has no nodes", c.Name), Do: "add one, or choose another -context"}
	}
	if slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.Ready }) {
		return nil
	}
	first := c.Nodes[0]
	return &config.Problem{
		What: fmt.Sprintf("none of the %d nodes of cluster %s is Ready (%s: %s)", len(c.Nodes), c.Name, first.Name, first.NotReadyReason),
		Do:   "repair the kubelet, the runtime or the CNI of one (kubectl describe node " + first.Name + ")",
	}
}
