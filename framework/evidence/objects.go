// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// resource is a kind of object that evidence is taken of. Secrets are none.
type resource struct {
	name string // as kubectl takes it
	list func(ctx context.Context, c kubernetes.Interface, namespace string) (runtime.Object, error)
	// names limits it to these objects; all when empty.
	names []string
}

var everything = metav1.ListOptions{}

var (
	nodes = resource{name: "nodes", list: func(ctx context.Context, c kubernetes.Interface, _ string) (runtime.Object, error) {
		return c.CoreV1().Nodes().List(ctx, everything)
	}}
	// ofNamespace are listed in the namespaces involved and the pod network's
	// own.
	ofNamespace = []resource{
		{name: "services", list: func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
			return c.CoreV1().Services(ns).List(ctx, everything)
		}},
		{name: "endpointslices", list: func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
			return c.DiscoveryV1().EndpointSlices(ns).List(ctx, everything)
		}},
		{name: "networkpolicies", list: func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
			return c.NetworkingV1().NetworkPolicies(ns).List(ctx, everything)
		}},
		{name: "daemonsets", list: func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
			return c.AppsV1().DaemonSets(ns).List(ctx, everything)
		}},
		{name: "deployments", list: func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
			return c.AppsV1().Deployments(ns).List(ctx, everything)
		}},
	}
	configMaps = resource{
		name:  "configmaps",
		names: []string{"coredns", "kube-proxy", "kube-flannel-cfg", "calico-config", "cilium-config", "weave-net", "kubeadm-config"},
		list: func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
			return c.CoreV1().ConfigMaps(ns).List(ctx, everything)
		},
	}
	podObjects = resource{name: "pods", list: func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.CoreV1().Pods(ns).List(ctx, everything)
	}}
)

var _ = Register(Collector{
	Name: "objects", Title: "Kubernetes objects of the network", Always: true,
	Steps: objectSteps(), Once: collectObjects,
})

func objectSteps() []Step {
	documented := []Step{{Command: nodes.command(""), Yields: nodes.file("")}}
	for _, r := range append(slices.Clone(ofNamespace), podObjects) {
		documented = append(documented, Step{Command: r.command("<namespace>"), Yields: r.file("<namespace>")})
	}
	return append(documented, Step{Command: configMaps.command(metav1.NamespaceSystem), Yields: configMaps.file(metav1.NamespaceSystem)})
}

func (r resource) command(namespace string) string {
	words := []string{"kubectl get", r.name}
	if namespace != "" {
		words = append(words, "-n", namespace)
	}
	return strings.Join(append(append(words, r.names...), "-o yaml"), " ")
}

func (r resource) file(namespace string) string {
	return strings.ReplaceAll("cluster/"+namespace+"/"+r.name+".yaml", "//", "/")
}

// parallelLists is how many lists are asked of the API server at a time.
const parallelLists = 6

func collectObjects(ctx context.Context, c *cluster.Cluster, s Subject, w *Writer) error {
	var lists errgroup.Group
	lists.SetLimit(parallelLists)
	list := func(r resource, namespace string) {
		lists.Go(func() error { w.objects(ctx, c, r, namespace); return nil })
	}
	list(nodes, "")
	for _, namespace := range everyNamespace(c, s) {
		for _, r := range ofNamespace {
			list(r, namespace)
		}
	}
	for _, namespace := range s.involved() {
		list(podObjects, namespace)
	}
	for _, namespace := range systemNamespaces(c) {
		list(configMaps, namespace)
	}
	if !slices.Contains(everyNamespace(c, s), metav1.NamespaceDefault) {
		// The API server's own Service is there.
		list(ofNamespace[0], metav1.NamespaceDefault)
		list(ofNamespace[1], metav1.NamespaceDefault)
	}
	return lists.Wait()
}

func (w *Writer) objects(ctx context.Context, c *cluster.Cluster, r resource, namespace string) {
	item := w.begin(r.command(namespace))
	item.Path = r.file(namespace)
	list, err := r.list(ctx, c.Client, namespace)
	if err != nil {
		w.fail(item, err)
		return
	}
	text, err := toYAML(list, r.names)
	if err != nil {
		w.fail(item, err)
		return
	}
	w.saveText(item, text)
}

// toYAML prints a list as kubectl does, without what says nothing of the
// network: managed fields, and the copy of the object kubectl apply leaves.
func toYAML(list runtime.Object, names []string) (string, error) {
	objects, err := meta.ExtractList(list)
	if err != nil {
		return "", fmt.Errorf("read the list: %w", err)
	}
	printed := struct {
		APIVersion string           `json:"apiVersion"`
		Items      []runtime.Object `json:"items"`
		Kind       string           `json:"kind"`
	}{APIVersion: "v1", Items: []runtime.Object{}, Kind: "List"}
	for _, object := range objects {
		m, err := meta.Accessor(object)
		if err != nil {
			return "", err
		}
		if len(names) > 0 && !slices.Contains(names, m.GetName()) {
			continue
		}
		kinds, _, err := scheme.Scheme.ObjectKinds(object)
		if err != nil || len(kinds) == 0 {
			return "", errors.Join(err, fmt.Errorf("name the kind of %T", object))
		}
		object.GetObjectKind().SetGroupVersionKind(kinds[0])
		m.SetManagedFields(nil)
		annotations := m.GetAnnotations()
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		m.SetAnnotations(annotations)
		printed.Items = append(printed.Items, object)
	}
	text, err := yaml.Marshal(printed)
	return string(text), err
}
