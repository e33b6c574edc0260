// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// healthz are the ports at which what routes Services tells of its health:
// kube-proxy's --healthz-bind-address, and where Cilium stands in for it that of
// its agent (--agent-health-port).
const (
	proxyHealthz  = "10256"
	ciliumHealthz = "9879"
)

// kube-proxy says on every node that it is healthy, which it does while it keeps
// up with the changes it was told of, and where it runs as a pod all containers
// of that are ready and none is just back from a crash. Cilium's agent is asked
// where Cilium replaces kube-proxy.
//
// It is asked from the node's own network, at loopback and at the node's
// addresses: where it listens is an option. What could fool it: a proxy that
// runs as no pod and listens nowhere; nodes where neither is seen do not apply.
//
// Turns red with: pkill -STOP -x kube-proxy (on a node)
var _ = check.Register(check.Check{
	ID:    "service.kube-proxy-healthy",
	Title: "kube-proxy, or what replaces it, is healthy on every node",
	Level: check.Required,
	Run: func(ctx context.Context, env *check.Env) error {
		if err := hosts(env); err != nil {
			return err
		}
		agents, err := proxies(ctx, env)
		if err != nil {
			return err
		}
		port := proxyHealthz
		if env.Cluster.ProxyMode == "none" && env.Cluster.CNI.Kind == "cilium" {
			port = ciliumHealthz
		}
		var heard bool
		ask := fleet.Question{
			Pods: env.HostPods,
			Jobs: func(from probe.Pod) []job.Job {
				var jobs []job.Job
				for _, ip := range append([]string{"127.0.0.1", "::1"}, from.IPs...) {
					url := "http://" + net.JoinHostPort(ip, port) + "/healthz"
					jobs = append(jobs, job.Job{ID: url, Kind: job.HTTP, Address: url})
				}
				return jobs
			},
		}
		silent := map[string]string{}
		ask.Judge = func(from probe.Pod, answers fleet.Answers) error {
			said := map[bool][]string{}
			for url, r := range answers {
				if r.OK {
					heard = true
					return nil
				}
				said[r.Status != 0] = append(said[r.Status != 0], fmt.Sprintf("%s: %s %s", url, fleet.Says(r), r.Text))
			}
			if len(said[true]) > 0 {
				return unhealthy(from.Node, agents, strings.Join(said[true], "; "))
			}
			silent[from.Node] = said[false][0]
			return nil
		}
		errs := []error{fleet.Ask(ctx, env, ask)}
		nodes, _ := fleet.Able(env)
		for _, n := range nodes {
			agent, isPod := agents[n.Name]
			problem := ""
			if isPod {
				problem = ailing(agent, time.Now())
			}
			switch mute := silent[n.Name]; {
			case problem != "":
				errs = append(errs, unhealthy(n.Name, agents, problem))
			case mute != "" && heard:
				errs = append(errs, unhealthy(n.Name, agents, mute+", which other nodes answer"))
			case mute != "" && !isPod:
				errs = append(errs, &check.NotApplicable{Node: n.Name, Lacks: "a pod of kube-proxy, and nothing answers at port " + port})
			}
		}
		return errors.Join(errs...)
	},
})

// proxies are the pods that route Services, by node; none where that is not a
// pod.
func proxies(ctx context.Context, env *check.Env) (map[string]corev1.Pod, error) {
	namespace, selector := metav1.NamespaceSystem, "k8s-app=kube-proxy"
	if env.Cluster.ProxyMode == "none" {
		namespace, selector = env.Cluster.CNI.Namespace, env.Cluster.CNI.Selector
	}
	list, err := env.Cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, &check.Inconclusive{Why: "the pods of kube-proxy could not be listed", Err: err}
	}
	pods := map[string]corev1.Pod{}
	for _, pod := range list.Items {
		if _, ok := pods[pod.Spec.NodeName]; !ok || pod.DeletionTimestamp == nil {
			pods[pod.Spec.NodeName] = pod
		}
	}
	return pods, nil
}

// ailing is what is wrong with a pod's containers by the kubelet's own word,
// empty when nothing is.
func ailing(pod corev1.Pod, now time.Time) string {
	for _, c := range pod.Status.ContainerStatuses {
		last := ""
		if t := c.LastTerminationState.Terminated; t != nil {
			last = fmt.Sprintf(", restarted %d times, last exit code %d (%s)", c.RestartCount, t.ExitCode, t.Reason)
		}
		switch {
		case c.State.Waiting != nil:
			return fmt.Sprintf("%s waits: %s%s", c.Name, c.State.Waiting.Reason, last)
		case c.State.Terminated != nil:
			return fmt.Sprintf("%s ended with exit code %d%s", c.Name, c.State.Terminated.ExitCode, last)
		case c.State.Running != nil && !c.Ready:
			return c.Name + " runs and is not ready" + last
		case c.State.Running != nil && last != "" && now.Sub(c.State.Running.StartedAt.Time) < config.DefaultTimeouts().SandboxSettle:
			return c.Name + " is back for a moment only" + last
		}
	}
	return ""
}

func unhealthy(node string, agents map[string]corev1.Pod, observed string) error {
	f := &check.Failure{Node: node, Wanted: "kube-proxy, or what replaces it, healthy", Observed: observed}
	if agent, ok := agents[node]; ok {
		f.Pods = []string{agent.Namespace + "/" + agent.Name}
	}
	return f
}
