// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/probe"
)

// fleetOf is an Env with n nodes, each with a probe.
func fleetOf(n int) *check.Env {
	env := &check.Env{Cluster: &cluster.Cluster{}, RunID: "run", Pods: map[string]probe.Pod{}}
	for i := range n {
		node := cluster.Node{Name: fmt.Sprintf("n%03d", i), OS: "linux", Zone: string(rune('a' + i%3))}
		env.Cluster.Nodes = append(env.Cluster.Nodes, node)
		env.Pods[node.Name] = probe.Pod{Name: "probe-" + node.Name, Node: node.Name, IPs: []string{"10.0.0.1"}}
	}
	env.Nodes = env.Cluster.Nodes
	return env
}

func TestMeshIsFullWhenSmall(t *testing.T) {
	for _, n := range []int{2, 3, fullMesh} {
		pairs := Mesh(fleetOf(n))
		for node, peers := range pairs {
			if len(peers) != n-1 || slices.Contains(peers, node) {
				t.Fatalf("%d nodes: %s has peers %v", n, node, peers)
			}
		}
	}
}

func TestMeshGrowsWithNodes(t *testing.T) {
	for _, n := range []int{21, 100, 1000} {
		env := fleetOf(n)
		pairs := Mesh(env)
		total := 0
		for i, node := range env.Nodes {
			peers := pairs[node.Name]
			total += len(peers)
			for _, next := range []int{(i + 1) % n, (i + n - 1) % n} {
				if !slices.Contains(peers, env.Nodes[next].Name) {
					t.Fatalf("%d nodes: %s lacks its neighbour %s: %v", n, node.Name, env.Nodes[next].Name, peers)
				}
			}
			crosses := func(p string) bool { return env.Nodes[i].Zone != zoneOf(env, p) }
			if !slices.ContainsFunc(peers, crosses) {
				t.Errorf("%d nodes: %s has no peer in another zone", n, node.Name)
			}
		}
		if total > 4*n {
			t.Errorf("%d nodes: %d pairs, wanted at most four per node", n, total)
		}
		if again := Mesh(env); fmt.Sprint(again) != fmt.Sprint(pairs) {
			t.Errorf("%d nodes: the same run has other pairs", n)
		}
	}
}

func zoneOf(env *check.Env, name string) string {
	for _, n := range env.Nodes {
		if n.Name == name {
			return n.Zone
		}
	}
	return ""
}

func TestPairsOfOneNodeInScope(t *testing.T) {
	env := fleetOf(3)
	env.Nodes = env.Nodes[1:2]
	if peers := Mesh(env)["n001"]; len(peers) != 2 {
		t.Errorf("the only node in scope has peers %v, wanted the two others", peers)
	}
}

func TestAlone(t *testing.T) {
	var lacks *check.NotApplicable
	var unknown *check.Inconclusive
	one := fleetOf(1)
	if err := Mesh(one).Alone(one); !errors.As(err, &lacks) {
		t.Errorf("one node: %v, wanted it not applicable", err)
	}
	two := fleetOf(2)
	delete(two.Pods, "n000")
	if err := Ring(two).Alone(two); !errors.As(err, &unknown) {
		t.Errorf("two nodes, one probe: %v, wanted it inconclusive", err)
	}
	three := fleetOf(3)
	if err := Ring(three).Alone(three); err != nil {
		t.Errorf("three nodes: %v", err)
	}
}

// answer is a runner that answers every job with what it returns.
type answer func(pod probe.Pod, j job.Job) (job.Result, error)

func (a answer) Run(_ context.Context, pod probe.Pod, jobs []job.Job) ([]job.Result, error) {
	var results []job.Result
	for _, j := range jobs {
		r, err := a(pod, j)
		if err != nil {
			return nil, err
		}
		if r.ID != "" {
			results = append(results, r)
		}
	}
	return results, nil
}

func TestAskJudgesOnlyWhatWasAnswered(t *testing.T) {
	env := fleetOf(5)
	env.Cluster.Nodes[4].OS = "windows"
	delete(env.Pods, "n003")
	env.Probe = answer(func(pod probe.Pod, j job.Job) (job.Result, error) {
		switch pod.Node {
		case "n001":
			return job.Result{}, errors.New("container not found")
		case "n002":
			return job.Result{}, nil // the answer of this job is missing
		}
		return job.Result{ID: j.ID, Error: job.TimedOut, Message: "i/o timeout"}, nil
	})
	var judged []string
	err := Ask(t.Context(), env, Question{
		Pods: env.Pods,
		Jobs: func(probe.Pod) []job.Job { return []job.Job{{ID: "x"}} },
		Judge: func(from probe.Pod, answers Answers) error {
			judged = append(judged, from.Node)
			return &check.Failure{Node: from.Node, Wanted: "x", Observed: Says(answers["x"])}
		},
	})
	if !slices.Equal(judged, []string{"n000"}) {
		t.Errorf("judged %v, wanted only n000, which answered", judged)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 5 {
		t.Errorf("%d outcomes, wanted five:\n%v", len(lines), err)
	}
	for _, says := range []string{
		"n000: wanted x, observed timed-out (i/o timeout)", "n001: probe /probe-n001 could not be asked: container not found",
		"n002: probe /probe-n002 did not answer x", "n003: no probe pod is ready there", "n004: not applicable: Linux, it runs windows and the probe does not",
	} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("nothing says %q:\n%v", says, err)
		}
	}
}

func TestSameFamily(t *testing.T) {
	pod := probe.Pod{IPs: []string{"10.0.0.1"}}
	if !SameFamily(pod, "10.9.9.9") || SameFamily(pod, "fd00::1") || SameFamily(pod, "name.test") {
		t.Error("wanted only IPv4 addresses to be of the pod's family")
	}
}
