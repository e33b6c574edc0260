// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
)

// CoreDNS does not forward queries to itself: no server of its forward plugins
// is a loopback address, its own Service or one of its pods. Where it forwards to
// /etc/resolv.conf it is the nameservers of its node's file that count, the one
// the kubelet's resolvConf names, as its pods have dnsPolicy Default.
//
// What could fool it: a loop over a server outside, which forwards back; plugin
// loop of CoreDNS finds that, and its pods crash then. Without node access the
// nodes' files are not seen and only the Corefile is judged.
//
// Turns red with: kubectl -n kube-system edit cm coredns (forward . 127.0.0.1)
var _ = check.Register(check.Check{
	ID:       "audit.dns-loop",
	Title:    "CoreDNS does not forward queries to itself",
	Level:    check.Advisory,
	NoProbes: true,
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		core := env.Cluster.Client.CoreV1()
		config, err := core.ConfigMaps(metav1.NamespaceSystem).Get(ctx, "coredns", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return &check.NotApplicable{Lacks: "the configuration of CoreDNS in ConfigMap kube-system/coredns"}
		}
		if err != nil {
			return unreadable("the configuration of CoreDNS", err)
		}
		marked := metav1.ListOptions{LabelSelector: dnsLabel}
		services, failed := core.Services(metav1.NamespaceSystem).List(ctx, marked)
		pods, err := core.Pods(metav1.NamespaceSystem).List(ctx, marked)
		if err = errors.Join(failed, err); err != nil {
			return unreadable("the Service and pods of CoreDNS", err)
		}
		l := loop{own: map[string]string{}}
		for _, s := range services.Items {
			for _, ip := range s.Spec.ClusterIPs {
				l.own[ip] = "the address of its own Service " + s.Name
			}
		}
		for _, p := range pods.Items {
			l.own[p.Status.PodIP] = "the address of its own pod " + p.Name
		}
		servers := forwards(config.Data["Corefile"])
		for _, server := range servers {
			l.judge("ConfigMap kube-system/coredns", "forward", server)
		}
		if slices.ContainsFunc(servers, func(s string) bool { return strings.HasPrefix(s, "/") }) {
			if env.Cluster.Access == nil && l.wrong.outcome() == nil {
				return &check.NotApplicable{Lacks: "node access, without which the resolv.conf that CoreDNS forwards to is not seen"}
			}
			err = l.nodes(ctx, env, pods.Items)
		}
		return errors.Join(err, l.wrong.outcome())
	},
})

// loop collects servers that lead back to CoreDNS; own are its addresses.
type loop struct {
	own   map[string]string
	wrong faults
}

func (l *loop) judge(object, where, server string) {
	address := strings.TrimPrefix(server, "dns://")
	if ap, err := netip.ParseAddrPort(address); err == nil {
		address = ap.Addr().String()
	}
	why := l.own[address]
	if addr, err := netip.ParseAddr(address); err == nil && addr.IsLoopback() {
		why = "a loopback address, which in a pod is the pod itself"
	}
	if why == "" {
		return
	}
	l.wrong.wanted = "CoreDNS to forward to other servers"
	l.wrong.add(object, "", fault{
		observed: fmt.Sprintf("%s %s is %s", where, server, why),
		fix:      "name the upstream servers there; where systemd-resolved runs, point the kubelet's resolvConf at /run/systemd/resolve/resolv.conf",
	})
}

// resolvConf prints the file that the kubelet gives to pods with dnsPolicy
// Default (KubeletConfiguration, resolvConf).
const resolvConf = `f=$(sed -n 's/^resolvConf: *"\{0,1\}\([^"]*\)"\{0,1\} *$/\1/p' /var/lib/kubelet/config.yaml 2>/dev/null); cat "${f:-/etc/resolv.conf}"`

// nodes judges the resolv.conf of each node with a pod of CoreDNS.
func (l *loop) nodes(ctx context.Context, env *check.Env, pods []corev1.Pod) error {
	var seen []string
	var errs []error
	for _, p := range pods {
		node := p.Spec.NodeName
		if env.Cluster.Access == nil || node == "" || slices.Contains(seen, node) || p.Spec.DNSPolicy != corev1.DNSDefault {
			continue
		}
		seen = append(seen, node)
		out, err := env.Cluster.Access.Run(ctx, node, cluster.Command{Argv: []string{"sh", "-c", resolvConf}})
		if err != nil || out.Code != 0 {
			errs = append(errs, &check.Inconclusive{Node: node, Why: "the resolv.conf of the node could not be read", Err: err})
			continue
		}
		for line := range strings.Lines(string(out.Stdout)) {
			if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" {
				l.judge("Node "+node, "nameserver", words[1])
			}
		}
	}
	return errors.Join(errs...)
}

// forwards are the servers of all forward plugins of a Corefile: "forward FROM
// TO..." (CoreDNS, plugin/forward), comments aside.
func forwards(corefile string) []string {
	var servers []string
	for line := range strings.Lines(corefile) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(strings.TrimSuffix(strings.TrimSpace(line), "{"))
		if len(words) > 2 && words[0] == "forward" {
			servers = append(servers, words[2:]...)
		}
	}
	return servers
}
