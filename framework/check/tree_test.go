// SPDX-License-Identifier: Apache-2.0

package check

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func pair(node, peer string) error {
	return &Failure{Node: node, Peer: peer, Wanted: "an answer", Observed: "timed out"}
}

func TestCulprits(t *testing.T) {
	for name, test := range map[string]struct {
		failures []error
		want     []string
	}{
		"nothing":                      {nil, nil},
		"about the cluster":            {[]error{pair("", "")}, nil},
		"one node":                     {[]error{pair("a", "")}, []string{"a"}},
		"a node with itself":           {[]error{pair("a", "a")}, []string{"a"}},
		"nothing reaches c":            {[]error{pair("a", "c"), pair("b", "c")}, []string{"c"}},
		"c reaches nothing":            {[]error{pair("c", "a"), pair("c", "b")}, []string{"c"}},
		"c both ways":                  {[]error{pair("a", "c"), pair("c", "a"), pair("b", "c"), pair("c", "b")}, []string{"c"}},
		"a ring around c":              {[]error{pair("b", "c"), pair("c", "d")}, []string{"c"}},
		"one pair of many":             {[]error{pair("a", "b"), pair("b", "a")}, []string{"a", "b"}},
		"every pair":                   {[]error{pair("a", "b"), pair("b", "c"), pair("c", "a")}, []string{"a", "b", "c"}},
		"two bad of four":              {[]error{pair("a", "c"), pair("a", "d"), pair("b", "c"), pair("b", "d"), pair("c", "d")}, []string{"c", "d"}},
		"a bad node explains its pair": {[]error{pair("c", ""), pair("a", "c")}, []string{"c"}},
		"a star and a pair apart":      {[]error{pair("a", "c"), pair("b", "c"), pair("x", "y")}, []string{"c", "x", "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := slices.Sorted(maps.Keys(culprits(observe(errors.Join(test.failures...), "").failures)))
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestObserve(t *testing.T) {
	cause := errors.New("connection reset")
	for name, test := range map[string]struct {
		err     error
		late    string
		outcome Outcome
		reason  string
		nodes   string // of a, b, c
	}{
		"nil": {nil, "", Passed, "", "passed passed passed"},
		"one node": {
			&Failure{Node: "b", Wanted: "w", Observed: "o"}, "", Failed,
			"b: wanted w, observed o", "passed failed passed",
		},
		"wrapped in words": {
			fmt.Errorf("probe: %w", fmt.Errorf("exec: %w", &Failure{Node: "b", Wanted: "w", Observed: "o"})), "", Failed,
			"b: wanted w, observed o", "passed failed passed",
		},
		"joined in any order": {
			errors.Join(pair("c", ""), nil, fmt.Errorf("x: %w", errors.Join(pair("a", "")))), "", Failed,
			"a: wanted an answer, observed timed out (and 1 more)", "failed passed failed",
		},
		"of the cluster": {
			&Failure{Wanted: "two\nreplicas", Observed: "none"}, "", Failed,
			"wanted two replicas, observed none", "failed failed failed",
		},
		"untyped": {
			cause, "", Failed,
			"wanted the check's steps to succeed, observed connection reset", "failed failed failed",
		},
		"untyped and late": {
			cause, "the attempt did not end within 20s", Unknown,
			"the attempt did not end within 20s: connection reset", "inconclusive inconclusive inconclusive",
		},
		"typed and late": {
			errors.Join(pair("a", ""), cause), "too late", Failed,
			"a: wanted an answer, observed timed out", "failed inconclusive inconclusive",
		},
		"not measured on one node": {
			&Inconclusive{Node: "b", Why: "no exec", Err: cause}, "", Unknown,
			"b: no exec: connection reset", "passed inconclusive passed",
		},
		"failures inside what was not measured do not count": {
			&Inconclusive{Why: "no exec", Err: pair("a", "")}, "", Unknown,
			"no exec: a: wanted an answer, observed timed out", "inconclusive inconclusive inconclusive",
		},
		"failed here, not measured there": {
			errors.Join(&Inconclusive{Node: "b", Why: "no exec"}, pair("c", "")), "", Failed,
			"c: wanted an answer, observed timed out", "passed inconclusive failed",
		},
		"not applicable": {
			fmt.Errorf("ipv6: %w", &NotApplicable{Lacks: "the cluster has no IPv6"}), "", NotApplied,
			"the cluster has no IPv6", "not-applicable not-applicable not-applicable",
		},
		"not applicable beside a failure": {
			errors.Join(&NotApplicable{Lacks: "IPv6"}, pair("a", "")), "", Failed,
			"a: wanted an answer, observed timed out", "failed passed passed",
		},
		"not applicable on one node": {
			&NotApplicable{Node: "b", Lacks: "Linux"}, "", Passed,
			"", "passed not-applicable passed",
		},
		"not applicable here, not measured elsewhere": {
			errors.Join(&NotApplicable{Node: "b", Lacks: "Linux"}, &Inconclusive{Why: "no exec"}), "", Unknown,
			"no exec", "inconclusive not-applicable inconclusive",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := observe(test.err, test.late)
			if got := o.outcome(false); got != test.outcome {
				t.Errorf("outcome %s, want %s", got, test.outcome)
			}
			if got := o.reason(""); got != test.reason {
				t.Errorf("reason %q, want %q", got, test.reason)
			}
			var got []string
			for _, n := range o.nodes([]string{"a", "b", "c"}) {
				got = append(got, string(n.Outcome))
			}
			if s := strings.Join(got, " "); s != test.nodes {
				t.Errorf("nodes %q, want %q", s, test.nodes)
			}
		})
	}
}

func TestNodeReasons(t *testing.T) {
	o := observe(errors.Join(pair("a", "c"), pair("b", "c"), pair("c", "a"), pair("z", "")), "")
	want := []NodeResult{
		{Node: "a", Outcome: Passed, Reason: "except with c"},
		{Node: "b", Outcome: Passed, Reason: "except with c"},
		{Node: "c", Outcome: Failed, Reason: "from a: wanted an answer, observed timed out (and 2 more)"},
		{Node: "z", Outcome: Failed, Reason: "wanted an answer, observed timed out"}, // not in scope, and named
	}
	if got := o.nodes([]string{"a", "b", "c"}); !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestPerNode(t *testing.T) {
	same := []NodeResult{{Node: "a", Outcome: Failed, Reason: "x"}, {Node: "b", Outcome: Failed, Reason: "x"}}
	if (Result{Nodes: same, Failures: []Failure{{Wanted: "w"}}}).PerNode() {
		t.Error("a failure of the cluster was taken for one of its nodes")
	}
	if !(Result{Nodes: same, Failures: []Failure{{Node: "a"}, {Node: "b"}}}).PerNode() {
		t.Error("failures that name nodes were taken for one of the cluster")
	}
	if !(Result{Nodes: []NodeResult{{Node: "a", Outcome: Passed}, {Node: "b", Outcome: Unknown}}}).PerNode() {
		t.Error("nodes that differ were taken for the same")
	}
}
