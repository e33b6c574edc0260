// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// The /etc/resolv.conf of pods is what the kubelet documents for their
// dnsPolicy. ClusterFirst, on the pod network, and ClusterFirstWithHostNet, on
// the host network, are read on every node: the DNS Service as nameserver, the
// three search domains of the pod's namespace in the same cluster domain
// everywhere, ndots:5. Default, the node's own configuration, and None, what is
// in the pod's dnsConfig and nothing else, are read in a pod each that is made
// for it on one node.
//
// What could fool it: a nameserver that is no address of a Service may be a
// cache on the node, so it is not held against the kubelet; that it answers is
// dns.service-name's claim. Of Default only what it must not have is known.
//
// Turns red with: clusterDNS: [10.96.0.99] in /var/lib/kubelet/config.yaml of a
// node, its kubelet restarted before the probes are made
var _ = check.Register(check.Check{
	ID:       "dns.pod-resolv-conf",
	Title:    "the resolv.conf of a pod is what its dnsPolicy says, on every node",
	Level:    check.Required,
	Requires: []string{"sandbox.starts-on-every-node"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().FixturesReady,
	Run: func(ctx context.Context, env *check.Env) error {
		server, err := findNameserver(ctx, env)
		if err != nil && !errors.Is(err, errNoNameserver) {
			return &check.Inconclusive{Why: "the Service of the cluster's DNS could not be read", Err: err}
		}
		p := &policies{env: env, server: server, domains: map[string]int{}}
		own, err := p.start(ctx)
		errs := []error{err, p.read(ctx, env.Pods, p.clusterFirst), p.read(ctx, env.HostPods, p.clusterFirst)}
		for _, o := range own {
			pods, err := o.await(ctx)
			errs = append(errs, err, p.read(ctx, pods, map[corev1.DNSPolicy]rule{corev1.DNSDefault: p.inherited, corev1.DNSNone: p.given}[o.policy]))
		}
		return errors.Join(append(errs, p.judge()...)...)
	},
})

// read reads the configuration of the pods, to be judged by the rule when all
// pods have been read.
func (p *policies) read(ctx context.Context, pods map[string]probe.Pod, by rule) error {
	only := *p.env
	only.Nodes = slices.DeleteFunc(slices.Clone(p.env.Nodes), func(n cluster.Node) bool {
		_, ok := pods[n.Name]
		return !ok
	})
	return fleet.Ask(ctx, &only, fleet.Question{
		Pods: pods,
		Jobs: func(probe.Pod) []job.Job { return []job.Job{readConf} },
		Judge: func(from probe.Pod, answers fleet.Answers) error {
			r := answers[readConf.ID]
			if !r.OK {
				return &check.Inconclusive{Node: from.Node, Why: "read " + readConf.Address + " in " + from.Namespace + "/" + from.Name + ": " + fleet.Says(r)}
			}
			c := parseConf(r.Text)
			if domain, ok := c.domain(from.Namespace); ok {
				p.domains[domain]++
			}
			p.readings = append(p.readings, reading{from, c, by})
			return nil
		},
	})
}

// ownPod is a pod of the check's own, with the batch it is alone in.
type ownPod struct {
	policy corev1.DNSPolicy
	batch  *sandbox.Batch
}

// start makes a pod of each policy that no probe has, on the first node that has
// a probe, and does not wait for them.
func (p *policies) start(ctx context.Context) ([]ownPod, error) {
	nodes, _ := fleet.Able(p.env)
	i := slices.IndexFunc(nodes, func(n cluster.Node) bool {
		_, ok := p.env.Pods[n.Name]
		return ok
	})
	if i < 0 {
		return nil, nil
	}
	var own []ownPod
	for policy, given := range map[corev1.DNSPolicy]*corev1.PodDNSConfig{corev1.DNSDefault: nil, corev1.DNSNone: &none} {
		batch, err := sandbox.Open(ctx, p.env, "resolv")
		if err != nil {
			return own, &check.Inconclusive{Node: nodes[i].Name, Why: "pods could not be followed", Err: err}
		}
		batch.Shape = func(pod *corev1.Pod) { pod.Spec.DNSPolicy, pod.Spec.DNSConfig = policy, given }
		batch.Create(ctx, nodes[i].Name)
		own = append(own, ownPod{policy, batch})
	}
	return own, nil
}

// await is the pod by its node, once it serves.
func (o ownPod) await(ctx context.Context) (map[string]probe.Pod, error) {
	s := o.batch.Await(ctx, sandbox.Serving)[0]
	if !sandbox.Serving(s) {
		return nil, &check.Inconclusive{Node: s.Node, Why: "a pod with dnsPolicy " + string(o.policy) + " did not start", Err: sandbox.Started(s)}
	}
	return map[string]probe.Pod{s.Node: s.Probe()}, nil
}
