// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"strings"
	"testing"
)

func TestQueue(t *testing.T) {
	var all []Scenario
	for _, topology := range []string{"cilium", "default"} {
		for i := range map[string]int{"cilium": 2, "default": 7}[topology] {
			all = append(all, Scenario{Name: fmt.Sprintf("%s_%d", topology, i), Topology: topology})
		}
	}
	q := NewQueue(all)
	first, second := "", ""
	var got []string
	// Each step says who asks.
	for _, who := range "1211122212" {
		topology := &first
		if who == '2' {
			topology = &second
		}
		s, ok := q.Next(*topology)
		if !ok {
			got = append(got, fmt.Sprintf("%c:none", who))
			continue
		}
		*topology = s.Topology
		got = append(got, fmt.Sprintf("%c:%s", who, s.Name))
	}
	// The second takes the topology that nobody has, the first joins it once its own is done with.
	want := "1:cilium_0 2:default_0 1:cilium_1 1:default_1 1:default_2 2:default_3 2:default_4 2:default_5 1:default_6 2:none"
	if strings.Join(got, " ") != want {
		t.Errorf("given out as\n%s, want\n%s", strings.Join(got, " "), want)
	}
}

func TestQueueMakesNoClusterForLittle(t *testing.T) {
	q := NewQueue([]Scenario{{Name: "a", Topology: "default"}, {Name: "b", Topology: "default"}, {Name: "c", Topology: "default"}})
	if s, ok := q.Next(""); !ok || s.Name != "a" {
		t.Fatalf("the first cluster gets %q, %t", s.Name, ok)
	}
	if s, ok := q.Next(""); ok {
		t.Errorf("a second cluster is made for %q", s.Name)
	}
	if s, ok := q.Next("default"); !ok || s.Name != "b" || len(q.Left()) != 1 {
		t.Errorf("the first cluster then gets %q, %t; left %v", s.Name, ok, q.Left())
	}
}
