// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"encoding/json"
	"strings"
)

// meta is what all Kubernetes objects have.
type meta struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Items []json.RawMessage
}

// readers turn an object of a kind into facts. Kinds that no rule needs have
// none.
var readers = map[string]func(*Facts, meta, []byte, *document){
	"Node": readNode, "Pod": readPod, "Service": readService,
	"Deployment": readWorkload, "DaemonSet": readWorkload, "StatefulSet": readWorkload,
	"Endpoints": readEndpoints, "EndpointSlice": readSlice, "ConfigMap": readConfigMap,
	"NetworkPolicy": readPolicy, "CiliumNetworkPolicy": readForeignPolicy,
	"CiliumClusterwideNetworkPolicy": readForeignPolicy, "GlobalNetworkPolicy": readPolicy,
	"IPPool": readPool, "BlockAffinity": readBlock,
}

// addObject reads an object, or each object of a list.
func (f *Facts) addObject(data []byte, d *document) {
	var m meta
	if json.Unmarshal(data, &m) != nil {
		return
	}
	if len(m.Items) > 0 || strings.HasSuffix(m.Kind, "List") {
		for _, item := range m.Items {
			f.addItem(item, strings.TrimSuffix(m.Kind, "List"), d)
		}
		return
	}
	f.addItem(data, m.Kind, d)
}

// addItem reads one object; items of a typed list leave their kind out.
func (f *Facts) addItem(data []byte, kind string, d *document) {
	var m meta
	if json.Unmarshal(data, &m) != nil {
		return
	}
	if m.Kind == "" {
		m.Kind = kind
	}
	if read := readers[m.Kind]; read != nil {
		read(f, m, data, d)
	}
}

func readNode(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		Spec struct {
			PodCIDR  string
			PodCIDRs []string
		}
		Status struct {
			Conditions []struct{ Type, Status, Reason, Message string }
			Addresses  []struct{ Type, Address string }
			NodeInfo   struct{ ContainerRuntimeVersion, KubeletVersion string }
		}
	}
	if json.Unmarshal(data, &o) != nil {
		return
	}
	n := Node{Name: m.Metadata.Name, PodCIDRs: o.Spec.PodCIDRs, Quote: d.quote(m.Metadata.Name),
		Runtime: o.Status.NodeInfo.ContainerRuntimeVersion, Kubelet: o.Status.NodeInfo.KubeletVersion}
	if len(n.PodCIDRs) == 0 && o.Spec.PodCIDR != "" {
		n.PodCIDRs = []string{o.Spec.PodCIDR}
	}
	for _, a := range o.Status.Addresses {
		if a.Type == "InternalIP" || a.Type == "ExternalIP" {
			n.Addresses = append(n.Addresses, a.Address)
		}
	}
	for _, c := range o.Status.Conditions {
		switch {
		case c.Type == "Ready":
			n.Ready, n.Unreachable = c.Status == "True", c.Status == "Unknown"
		case c.Type == "NetworkUnavailable" && c.Status == "True":
			n.NoNetwork = c.Reason + ": " + c.Message
		}
	}
	f.Nodes = append(f.Nodes, n)
}

func readPod(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		Metadata struct{ DeletionTimestamp string }
		Spec     struct {
			NodeName, DNSPolicy string
			HostNetwork         bool
			Containers          []struct {
				Ports []struct {
					Name          string
					ContainerPort int
				}
			}
		}
		Status struct {
			Phase, PodIP, Reason  string
			ContainerStatuses     []containerStatus
			InitContainerStatuses []containerStatus
		}
	}
	if json.Unmarshal(data, &o) != nil {
		return
	}
	p := Pod{Namespace: m.Metadata.Namespace, Name: m.Metadata.Name, Node: o.Spec.NodeName, IP: o.Status.PodIP,
		Status: o.Status.Phase, Containers: len(o.Spec.Containers), HostNetwork: o.Spec.HostNetwork,
		Labels: m.Metadata.Labels, DNSPolicy: o.Spec.DNSPolicy, Quote: d.quote(m.Metadata.Name)}
	for _, c := range o.Spec.Containers {
		for _, port := range c.Ports {
			p.Ports = append(p.Ports, ContainerPort{port.Name, port.ContainerPort})
		}
	}
	for _, c := range o.Status.ContainerStatuses {
		p.Restarts += c.RestartCount
		if c.Ready {
			p.Ready++
		}
		if reason := c.State.reason(); reason != "" {
			p.Status = reason
		}
	}
	for _, c := range o.Status.InitContainerStatuses {
		p.Restarts += c.RestartCount
		if reason := c.State.reason(); reason != "" && reason != "Completed" {
			p.Status = "Init:" + reason
		}
	}
	if o.Metadata.DeletionTimestamp != "" {
		p.Status = "Terminating"
	}
	f.Pods = append(f.Pods, p)
}

type containerStatus struct {
	Ready        bool
	RestartCount int
	State        containerState
}

type containerState struct {
	Waiting, Terminated *struct{ Reason string }
}

func (s containerState) reason() string {
	switch {
	case s.Waiting != nil:
		return s.Waiting.Reason
	case s.Terminated != nil:
		return s.Terminated.Reason
	}
	return ""
}

func readWorkload(f *Facts, m meta, data []byte, d *document) {
	var o struct {
		Spec   struct{ Replicas *int }
		Status struct{ Replicas, ReadyReplicas, DesiredNumberScheduled, NumberReady int }
	}
	if json.Unmarshal(data, &o) != nil {
		return
	}
	w := Workload{Kind: strings.ToLower(m.Kind), Namespace: m.Metadata.Namespace, Name: m.Metadata.Name, Labels: m.Metadata.Labels,
		Desired: 1, Ready: o.Status.ReadyReplicas}
	if o.Spec.Replicas != nil {
		w.Desired = *o.Spec.Replicas
	}
	if w.Kind == "daemonset" {
		w.Desired, w.Ready = o.Status.DesiredNumberScheduled, o.Status.NumberReady
	}
	w.Quote = d.quote(w.Name, "replicas", "desiredNumberScheduled")
	f.Workloads = append(f.Workloads, w)
}

func readConfigMap(f *Facts, m meta, data []byte, d *document) {
	var o struct{ Data map[string]string }
	if json.Unmarshal(data, &o) == nil && len(o.Data) > 0 {
		f.Maps = append(f.Maps, ConfigMap{Namespace: m.Metadata.Namespace, Name: m.Metadata.Name, Data: o.Data, Quote: d.quote(m.Metadata.Name)})
	}
}
