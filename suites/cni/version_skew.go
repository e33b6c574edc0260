// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
)

// Each kubelet is no newer than the API server and at most three minor versions
// older, two where it is older than 1.25 (kubernetes.io/releases/version-skew-policy),
// and its runtime is one it can talk to: containerd 1.6 for the CRI v1 that
// kubelets of 1.26 and later ask for, containerd 2.0 for kubelets of 1.36, which
// gave up containerd 1.
//
// Versions are those the API server reports, as of when the run began. A
// distribution may support more than upstream does; those of CNI plugins are
// judged by what they support, in cni.plugins-executable.
//
// Turns red with: go test ./framework/check/claims -run TestCNI (a cluster of such
// nodes does not start)
var _ = check.Register(check.Check{
	ID:       "cni.version-skew",
	Title:    "kubelet, runtime and API server versions fit together",
	Level:    check.Required,
	NoProbes: true,
	Run: func(_ context.Context, env *check.Env) error {
		server, ok := parseVersion(env.Cluster.Server)
		if !ok {
			return &check.Inconclusive{Why: fmt.Sprintf("the API server's version %q is not understood", env.Cluster.Server)}
		}
		var errs []error
		for _, n := range env.Nodes {
			kubelet, ok := parseVersion(n.Kubelet)
			if !ok {
				errs = append(errs, &check.Inconclusive{Node: n.Name, Why: fmt.Sprintf("the kubelet's version %q is not understood", n.Kubelet)})
				continue
			}
			errs = append(errs, skewed(env.Cluster.Server, server, n, kubelet), outdated(n, kubelet))
		}
		return errors.Join(errs...)
	},
})

// release is a major and a minor version.
type release struct{ major, minor int }

func (r release) before(o release) bool {
	return r.major < o.major || r.major == o.major && r.minor < o.minor
}

func parseVersion(text string) (release, bool) {
	var r release
	n, _ := fmt.Sscanf(strings.TrimPrefix(text, "v"), "%d.%d", &r.major, &r.minor)
	return r, n == 2
}

func skewed(server string, at release, n cluster.Node, kubelet release) error {
	oldest := 3
	if kubelet.before(release{1, 25}) {
		oldest = 2
	}
	if at.before(kubelet) || kubelet.before(release{at.major, at.minor - oldest}) {
		return &check.Failure{
			Node: n.Name, Wanted: fmt.Sprintf("a kubelet no newer than the API server (%s) and at most %d minor versions older", server, oldest),
			Observed: n.Kubelet,
		}
	}
	return nil
}

// minimums are the oldest runtimes that kubelets of a version and later support,
// the latest first.
var minimums = []struct {
	kubelet, containerd release
}{{release{1, 36}, release{2, 0}}, {release{1, 26}, release{1, 6}}}

func outdated(n cluster.Node, kubelet release) error {
	version, ok := parseVersion(n.RuntimeVersion)
	if n.Runtime != "containerd" || !ok {
		return nil
	}
	for _, m := range minimums {
		if kubelet.before(m.kubelet) {
			continue
		}
		if version.before(m.containerd) {
			return &check.Failure{
				Node: n.Name, Wanted: fmt.Sprintf("containerd %d.%d or later for kubelet %s", m.containerd.major, m.containerd.minor, n.Kubelet),
				Observed: "containerd " + n.RuntimeVersion,
			}
		}
		return nil
	}
	return nil
}
