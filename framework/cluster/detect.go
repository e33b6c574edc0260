// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes"
)

func parseVersion(body []byte) (string, error) {
	var v version.Info
	if err := json.Unmarshal(body, &v); err != nil || v.GitVersion == "" {
		return "", fmt.Errorf("parse the API server's version: it is not the answer of one")
	}
	return v.GitVersion, nil
}

// objects are those of a cluster that tell what its network is made of.
type objects struct {
	daemonSets []appsv1.DaemonSet
	// configMaps by namespace/name: kubeadm's and those the DaemonSets of
	// kube-proxy and of a CNI mount or read their settings from.
	configMaps map[string]corev1.ConfigMap
	// system are the pods of kube-system.
	system       []corev1.Pod
	serviceCIDRs []string
}

// detect fills in what the cluster's own objects and, where those do not tell,
// the CNI configuration of a node say of its network. What cannot be read or is
// not there stays unknown; only ctx ending is an error.
func detect(ctx context.Context, c *Cluster) error {
	o, err := readObjects(ctx, c.Client)
	if err != nil {
		return err
	}
	c.CNI = cniOf(o)
	if c.CNI.Kind == unknown && c.Access != nil {
		c.CNI.Kind = cniOnNode(ctx, c)
	}
	c.ProxyMode = proxyMode(o, c)
	c.PodCIDRs = podCIDRs(o, c)
	c.ServiceCIDRs = serviceCIDRs(o)
	if c.Families = families(c.PodCIDRs); len(c.Families) == 0 {
		c.Families = families(podAddresses(o.system))
	}
	return ctx.Err()
}

// unknown is what is said where nothing tells.
const unknown = "unknown"

func readObjects(ctx context.Context, client kubernetes.Interface) (objects, error) {
	var o objects
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		list, err := client.AppsV1().DaemonSets("").List(groupCtx, metav1.ListOptions{})
		if err != nil {
			return tolerate(err)
		}
		o.daemonSets = list.Items
		return nil
	})
	group.Go(func() error {
		list, err := client.CoreV1().Pods(metav1.NamespaceSystem).List(groupCtx, metav1.ListOptions{})
		if err != nil {
			return tolerate(err)
		}
		o.system = list.Items
		return nil
	})
	group.Go(func() error {
		// KEP-1880, GA in Kubernetes 1.33; older servers answer 404.
		list, err := client.NetworkingV1().ServiceCIDRs().List(groupCtx, metav1.ListOptions{})
		if err != nil {
			return tolerate(err)
		}
		for _, item := range list.Items {
			o.serviceCIDRs = append(o.serviceCIDRs, item.Spec.CIDRs...)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return objects{}, fmt.Errorf("look at the cluster's DaemonSets, pods and Service ranges: %w", err)
	}
	o.configMaps = map[string]corev1.ConfigMap{}
	names := [][2]string{{metav1.NamespaceSystem, "kubeadm-config"}}
	for _, ds := range o.daemonSets {
		p := matchCNI(ds)
		if p != nil && p.configMap != "" {
			names = append(names, [2]string{ds.Namespace, p.configMap})
		}
		if p != nil || isKubeProxy(ds) {
			names = append(names, settings(ds)...)
		}
	}
	for _, name := range names {
		if _, known := o.configMaps[name[0]+"/"+name[1]]; known {
			continue
		}
		cm, err := client.CoreV1().ConfigMaps(name[0]).Get(ctx, name[1], metav1.GetOptions{})
		if err == nil {
			o.configMaps[name[0]+"/"+name[1]] = *cm
		} else if err := tolerate(err); err != nil {
			return objects{}, fmt.Errorf("read ConfigMap %s/%s: %w", name[0], name[1], err)
		}
	}
	return o, nil
}

// tolerate passes on errors other than those of a server that has no such
// thing or does not show it.
func tolerate(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) {
		return nil
	}
	return err
}

// settings are the ConfigMaps a DaemonSet's pods mount or take variables from,
// as namespace and name.
func settings(ds appsv1.DaemonSet) [][2]string {
	var names [][2]string
	add := func(name string) {
		key := [2]string{ds.Namespace, name}
		if name != "" && !slices.Contains(names, key) {
			names = append(names, key)
		}
	}
	spec := ds.Spec.Template.Spec
	for _, volume := range spec.Volumes {
		if volume.ConfigMap != nil {
			add(volume.ConfigMap.Name)
		}
		if volume.Projected != nil {
			for _, source := range volume.Projected.Sources {
				if source.ConfigMap != nil {
					add(source.ConfigMap.Name)
				}
			}
		}
	}
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, variable := range container.Env {
			if variable.ValueFrom != nil && variable.ValueFrom.ConfigMapKeyRef != nil {
				add(variable.ValueFrom.ConfigMapKeyRef.Name)
			}
		}
		for _, from := range container.EnvFrom {
			if from.ConfigMapRef != nil {
				add(from.ConfigMapRef.Name)
			}
		}
	}
	return names
}

// setting returns the value of a key in the ConfigMaps that were read of a
// DaemonSet's namespace.
func (o objects) setting(ds appsv1.DaemonSet, key string) string {
	for _, cm := range o.configMaps {
		if value, ok := cm.Data[key]; ok && cm.Namespace == ds.Namespace {
			return value
		}
	}
	return ""
}

// variable returns the value of an environment variable of a DaemonSet's
// containers, looked up in the ConfigMap it comes from.
func (o objects) variable(ds appsv1.DaemonSet, name string) string {
	spec := ds.Spec.Template.Spec
	for _, container := range slices.Concat(spec.Containers, spec.InitContainers) {
		for _, variable := range container.Env {
			if variable.Name != name {
				continue
			}
			if ref := variable.ValueFrom; ref != nil && ref.ConfigMapKeyRef != nil {
				return o.configMaps[ds.Namespace+"/"+ref.ConfigMapKeyRef.Name].Data[ref.ConfigMapKeyRef.Key]
			}
			return variable.Value
		}
	}
	return ""
}

// argument returns the value of a flag in the command lines of containers, in
// the form --flag=value or --flag value.
func argument(containers []corev1.Container, flag string) string {
	for _, container := range containers {
		words := slices.Concat(container.Command, container.Args)
		for i, word := range words {
			if value, ok := strings.CutPrefix(word, flag+"="); ok {
				return value
			}
			if word == flag && i+1 < len(words) {
				return words[i+1]
			}
		}
	}
	return ""
}
