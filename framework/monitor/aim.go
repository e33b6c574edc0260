// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/target"
)

// field is what monitors aim at, as the API server tells it now.
type field struct {
	// monitors are the running pods of monitors by name of their DaemonSet and
	// node, targets those of AppTarget by node.
	monitors map[string]map[string]corev1.Pod
	targets  map[string]corev1.Pod
	// service, nodePort and dns are Services; dns may be nil.
	service, nodePort, dns *corev1.Service
	// hosts are the InternalIPs of nodes, ring the nodes with a target, sorted.
	hosts    map[string][]string
	ring     []string
	cordoned map[string]bool
	egress   []target.Target
}

// survey asks the API server.
func (m *Monitors) survey(ctx context.Context) (*field, error) {
	ctx, cancel := context.WithTimeout(ctx, m.in.Timeouts.APIRequest)
	defer cancel()
	core := m.in.Cluster.Client.CoreV1()
	f := &field{monitors: map[string]map[string]corev1.Pod{}, targets: map[string]corev1.Pod{}, hosts: map[string][]string{}, cordoned: map[string]bool{}, egress: m.egress}
	pods, err := core.Pods("").List(ctx, metav1.ListOptions{LabelSelector: workloads.RunLabel + "=" + m.in.ID + "," + workloads.MonitorLabel})
	if err != nil {
		return nil, fmt.Errorf("list the monitors' pods: %w", err)
	}
	for _, p := range pods.Items {
		if !runs(p) {
			continue
		}
		app := p.Labels[workloads.MonitorLabel]
		if app == workloads.AppTarget {
			f.targets[p.Spec.NodeName] = p
			continue
		}
		if f.monitors[app] == nil {
			f.monitors[app] = map[string]corev1.Pod{}
		}
		f.monitors[app][p.Spec.NodeName] = p
	}
	if f.service, err = core.Services(m.space).Get(ctx, workloads.AppTarget, metav1.GetOptions{}); err != nil {
		return nil, fmt.Errorf("ask for the monitors' Service: %w", err)
	}
	if f.nodePort, err = core.Services(m.space).Get(ctx, workloads.TargetNodePort, metav1.GetOptions{}); err != nil {
		return nil, fmt.Errorf("ask for the monitors' Service: %w", err)
	}
	if dns, err := core.Services(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"}); err == nil && len(dns.Items) > 0 {
		f.dns = &dns.Items[0]
	}
	nodes, err := core.Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	for _, n := range nodes.Items {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				f.hosts[n.Name] = append(f.hosts[n.Name], a.Address)
			}
		}
		f.cordoned[n.Name] = n.Spec.Unschedulable
		if _, ok := f.targets[n.Name]; ok {
			f.ring = append(f.ring, n.Name)
		}
	}
	slices.Sort(f.ring)
	return f, nil
}

// only is the field with no other monitors than these.
func (f *field) only(wanted map[types.UID]bool) *field {
	out := *f
	out.monitors = map[string]map[string]corev1.Pod{}
	for app, pods := range f.monitors {
		out.monitors[app] = maps.Clone(pods)
		maps.DeleteFunc(out.monitors[app], func(_ string, p corev1.Pod) bool { return !wanted[p.UID] })
	}
	return &out
}

// runs tells whether the pod has an address and a running container.
func runs(p corev1.Pod) bool {
	return p.DeletionTimestamp == nil && p.Status.PodIP != "" && len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].State.Running != nil
}

// next is the node after node in the ring; empty when there is no other.
func (f *field) next(node string) string {
	i := slices.Index(f.ring, node)
	if len(f.ring) < 2 || i < 0 {
		return ""
	}
	return f.ring[(i+1)%len(f.ring)]
}

// paths are those of the monitor of a DaemonSet on a node.
func (f *field) paths(app, node string) []job.Path {
	var list []job.Path
	add := func(way, flow, address string, port int, peer string) {
		addr, err := netip.ParseAddr(address)
		if err != nil {
			return
		}
		kinds := map[string]string{FlowTCP: job.TCP, FlowHeld: job.Held, FlowUDP: job.UDP}
		p := job.Path{
			ID:      Path{Way: way, Flow: flow, Family: family(addr), Peer: peer}.id(),
			Kind:    kinds[flow],
			Address: net.JoinHostPort(address, strconv.Itoa(port)),
		}
		if way == DNS {
			p.Kind, p.Name = job.DNS, "kubernetes.default"
		}
		list = append(list, p)
	}
	each := func(flows []string, way string, addresses []string, ports map[string]int, peer string) {
		for _, address := range addresses {
			for _, flow := range flows {
				add(way, flow, address, ports[flow], peer)
			}
		}
	}
	all := []string{FlowTCP, FlowHeld, FlowUDP}
	onPods := map[string]int{FlowTCP: job.PortTCP, FlowHeld: job.PortTCP, FlowUDP: job.PortUDP}
	onServices := map[string]int{FlowTCP: workloads.ServicePortTCP, FlowHeld: workloads.ServicePortTCP, FlowUDP: workloads.ServicePortUDP}
	next := f.next(node)
	if app == workloads.AppMonitorHost {
		add(ControlSelf, FlowTCP, "127.0.0.1", job.MonitorPortTCP, onHost)
		if next != "" {
			each([]string{FlowTCP}, ControlNode, f.hosts[next], map[string]int{FlowTCP: job.MonitorPortTCP}, next)
		}
		each([]string{FlowTCP, FlowHeld, FlowUDP}, NodePort, sameFamilies(f.hosts[node], f.nodePort), nodePorts(f.nodePort), "")
		return list
	}
	add(ControlSelf, FlowTCP, "127.0.0.1", job.PortTCP, "")
	if target, ok := f.targets[node]; ok {
		each(all, SameNode, podIPs(target), onPods, node)
	}
	if next != "" {
		each(all, OtherNode, podIPs(f.targets[next]), onPods, next)
	}
	each(all, Service, f.service.Spec.ClusterIPs, onServices, "")
	if f.dns != nil {
		each([]string{FlowUDP}, DNS, f.dns.Spec.ClusterIPs, map[string]int{FlowUDP: 53}, "")
	}
	return append(list, f.outside(f.monitors[app][node])...)
}

// outside are the egress paths of a pod: to targets by address, in the families
// it has.
func (f *field) outside(from corev1.Pod) []job.Path {
	var list []job.Path
	for _, t := range f.egress {
		ip, ok := t.IP()
		if !ok || !slices.ContainsFunc(podIPs(from), func(own string) bool {
			addr, err := netip.ParseAddr(own)
			return err == nil && addr.Is4() == ip.Is4()
		}) {
			continue
		}
		path := Path{Way: Egress, Flow: FlowTCP, Family: family(ip), Peer: t.Address}
		kind := job.Connect
		if t.Scheme == target.UDP {
			path.Flow, kind = FlowUDP, job.UDP
		}
		list = append(list, job.Path{ID: path.id(), Kind: kind, Address: t.Address})
	}
	return list
}

func family(addr netip.Addr) string {
	if addr.Is4() {
		return "ipv4"
	}
	return "ipv6"
}

func podIPs(p corev1.Pod) []string {
	var ips []string
	for _, ip := range p.Status.PodIPs {
		ips = append(ips, ip.IP)
	}
	return ips
}

// sameFamilies are the addresses of families that the Service has.
func sameFamilies(addresses []string, s *corev1.Service) []string {
	return slices.DeleteFunc(slices.Clone(addresses), func(a string) bool {
		addr, err := netip.ParseAddr(a)
		return err != nil || !slices.ContainsFunc(s.Spec.IPFamilies, func(f corev1.IPFamily) bool {
			return strings.EqualFold(string(f), family(addr))
		})
	})
}

func nodePorts(s *corev1.Service) map[string]int {
	ports := map[string]int{}
	for _, p := range s.Spec.Ports {
		if p.Protocol == corev1.ProtocolUDP {
			ports[FlowUDP] = int(p.NodePort)
		} else {
			ports[FlowTCP], ports[FlowHeld] = int(p.NodePort), int(p.NodePort)
		}
	}
	return ports
}
