// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// The names of the figures of this area, in ms for each node: from the news that
// a pod was bound to its node to that of its sandbox, and from the news that it
// is to be deleted to that of its end, a second of grace at most included. Where
// the kubelet does not report the condition PodReadyToStartContainers, the name
// says by what else the sandbox was seen.
const (
	startFigure   = "sandbox start"
	removalFigure = "sandbox removal"
)

// factor is how many times slower than the others a node must be to stand out.
const factor = 4

// No node takes much longer than the others to make a pod's sandbox, the plugin's
// ADD included, or to take it down, with the plugin's DEL: the median of its
// times is at most four times that of the other nodes, or not by seconds more.
//
// No pod is made for it: the times are those of the checks that it requires. A
// slow node shows a CNI whose agent answers late, a lock that is fought for or
// an address management that waits. What could fool it: a node that is busy, or
// slower by its kind; hence advisory, and both bounds.
//
// Turns red with: a CNI plugin in /opt/cni/bin that sleeps 12 s first (on a node)
var _ = check.Register(check.Check{
	ID:       "sandbox.latency-alike",
	Title:    "no node makes or removes sandboxes much slower than the others",
	Level:    check.Advisory,
	Requires: timed,
	Run: func(_ context.Context, env *check.Env) error {
		times := map[string]map[string][]float64{startFigure: {}, removalFigure: {}}
		for _, id := range timed {
			for _, m := range env.Figures(id) {
				name, _, _ := strings.Cut(m.Name, ",")
				if of, ok := times[name]; ok {
					of[m.Node] = append(of[m.Node], m.Value)
				}
			}
		}
		if len(times[startFigure]) < 3 {
			return &check.NotApplicable{Lacks: "a third node whose times are known: of two, none is out of line"}
		}
		return errors.Join(slower(startFigure, times[startFigure]), slower(removalFigure, times[removalFigure]))
	},
})

// timed are the checks that take the times.
var timed = []string{"sandbox.starts-on-every-node", "sandbox.deletion-cleans-up"}

// slower are the failures of the nodes that stand out.
func slower(what string, times map[string][]float64) error {
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(times)) {
		var others []float64
		for other, list := range times {
			if other != node {
				others = append(others, median(list))
			}
		}
		if len(others) < 2 {
			return nil
		}
		own, usual := median(times[node]), median(others)
		if own > factor*usual && own-usual > float64(config.DefaultTimeouts().Outlier/time.Millisecond) {
			errs = append(errs, &check.Failure{
				Node: node, Wanted: fmt.Sprintf("a %s about as fast as on the others, %.0f ms", what, usual), Observed: fmt.Sprintf("%.0f ms", own),
			})
		}
	}
	return errors.Join(errs...)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func recordStart(env *check.Env, s sandbox.State) {
	name := startFigure
	if s.Sign != string(corev1.PodReadyToStartContainers) {
		name += ", seen by " + s.Sign
	}
	if took, ok := s.Latency(); ok {
		env.Record(check.Measurement{Name: name, Node: s.Node, Value: float64(took.Microseconds()) / 1000, Unit: "ms"})
	}
}

func recordRemoval(env *check.Env, s sandbox.State) {
	if took, ok := s.Removal(); ok {
		env.Record(check.Measurement{Name: removalFigure, Node: s.Node, Value: float64(took.Microseconds()) / 1000, Unit: "ms"})
	}
}
