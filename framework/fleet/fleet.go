// SPDX-License-Identifier: Apache-2.0

// Package fleet asks the probes of many nodes at once: one exec per pod for all
// its jobs, and pairs of nodes whose number grows with the nodes. It makes an
// unanswered question inconclusive; what an answer means is the check's to say.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
)

// atOnce is how many execs run at the same time: enough to hide their latency,
// few enough for the API server of a large cluster.
const atOnce = 32

// Answers are the results of one pod's jobs, by the job's ID.
type Answers map[string]job.Result

// Question is a batch of jobs for one probe of each node.
type Question struct {
	// Pods are the probes to ask, by node: env.Pods, env.HostPods, or pods of
	// the check's own.
	Pods map[string]probe.Pod
	// Jobs are those for one pod, with IDs unique among them. Where there are
	// none, nothing is known of the node.
	Jobs func(from probe.Pod) []job.Job
	// Judge says what the answers of one pod mean: nil, or an outcome. It is
	// called for one pod at a time, in the order of the nodes.
	Judge func(from probe.Pod, answers Answers) error
}

// Ask puts q to the probe of each node of env.Nodes, all nodes in parallel, and
// joins what Judge makes of the answers. A node without a probe or without jobs,
// and one whose probe could not be asked, is inconclusive.
func Ask(ctx context.Context, env *check.Env, q Question) error {
	nodes, outcome := Able(env)
	results := make([]Answers, len(nodes))
	errs := make([]error, len(nodes))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, node := range nodes {
		pod, ok := q.Pods[node.Name]
		if !ok {
			errs[i] = &check.Inconclusive{Node: node.Name, Why: "no probe pod is ready there"}
			continue
		}
		jobs := q.Jobs(pod)
		if len(jobs) == 0 {
			errs[i] = &check.Inconclusive{Node: node.Name, Why: "there is nothing its probe could be asked"}
			continue
		}
		group.Go(func() error {
			results[i], errs[i] = ask(ctx, env.Probe, pod, jobs)
			return nil
		})
	}
	_ = group.Wait()
	for i, node := range nodes {
		if errs[i] == nil && results[i] != nil {
			errs[i] = q.Judge(q.Pods[node.Name], results[i])
		}
	}
	return errors.Join(append(errs, outcome)...)
}

// ask runs the jobs in the pod. No answer, and an answer that says nothing
// about the network, are inconclusive.
func ask(ctx context.Context, runner probe.Runner, pod probe.Pod, jobs []job.Job) (Answers, error) {
	results, err := runner.Run(ctx, pod, jobs)
	if err != nil {
		return nil, &check.Inconclusive{Node: pod.Node, Why: fmt.Sprintf("probe %s/%s could not be asked", pod.Namespace, pod.Name), Err: err}
	}
	answers := Answers{}
	for _, r := range results {
		if r.Error == job.Cancelled || r.Error == job.BadJob {
			return nil, &check.Inconclusive{Node: pod.Node, Why: fmt.Sprintf("probe %s/%s did not do %s: %s", pod.Namespace, pod.Name, r.ID, Says(r))}
		}
		answers[r.ID] = r
	}
	for _, j := range jobs {
		if _, ok := answers[j.ID]; !ok {
			return nil, &check.Inconclusive{Node: pod.Node, Why: fmt.Sprintf("probe %s/%s did not answer %s", pod.Namespace, pod.Name, j.ID)}
		}
	}
	return answers, nil
}

// Able are the nodes of env.Nodes that can run a Linux pod, and the outcome for
// the others.
func Able(env *check.Env) ([]cluster.Node, error) {
	var nodes []cluster.Node
	var errs []error
	for _, node := range env.Nodes {
		if node.OS == "" || node.OS == "linux" {
			nodes = append(nodes, node)
			continue
		}
		errs = append(errs, &check.NotApplicable{Node: node.Name, Lacks: "Linux, it runs " + node.OS + " and the probe does not"})
	}
	return nodes, errors.Join(errs...)
}

// Says puts a result that is not OK into words.
func Says(r job.Result) string {
	if r.Message == "" || r.Message == r.Error {
		return r.Error
	}
	return fmt.Sprintf("%s (%s)", r.Error, r.Message)
}

// SameFamily tells whether the pod has an address of the family of ip.
func SameFamily(pod probe.Pod, ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && slices.ContainsFunc(pod.IPs, func(own string) bool {
		a, err := netip.ParseAddr(own)
		return err == nil && a.Is4() == addr.Is4()
	})
}

// Names are the names of the nodes.
func Names(nodes []cluster.Node) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return names
}
