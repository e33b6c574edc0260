// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cniproof/cniproof/framework/check"
)

// picture is what the tests look at of a grid: signs, row by row.
func (g grid) picture() string {
	var rows []string
	for _, r := range g.Rows {
		var signs []string
		for _, m := range r.Marks {
			signs = append(signs, m.Class)
		}
		rows = append(rows, strings.Join(signs, " "))
	}
	return strings.Join(rows, " / ")
}

func gridOf(t *testing.T, run Run, protocol string) grid {
	t.Helper()
	all := run.all()
	list := grids(run, all, newColumns(run, all))
	i := slices.IndexFunc(list, func(g grid) bool { return g.Title == "Pod to pod" && g.Protocol == protocol })
	if i < 0 {
		t.Fatalf("there is no grid of %s among %d", protocol, len(list))
	}
	return list[i]
}

func TestGridOfAHealthyRun(t *testing.T) {
	g := gridOf(t, healthy(), "UDP")
	if g.picture() != "passed passed passed / passed passed passed / passed passed passed" {
		t.Error(g.picture())
	}
	if g.Note != "9 of 9 reached; median 0.60 ms, slowest 0.90 ms (worker2 to worker2)" {
		t.Error(g.Note)
	}
	if m := g.Rows[1].Marks[2]; m.Text != "0.7" || m.Where != "blue-worker to blue-worker2" || m.Says != "reached in 0.70 ms" {
		t.Errorf("%+v", m)
	}
}

// TestGridTellsProtocolsApart: over UDP a pair fails, over TCP it does not.
func TestGridTellsProtocolsApart(t *testing.T) {
	run := healthy()
	res := of(&run, "pod.other-node")
	res.Measurements = slices.DeleteFunc(res.Measurements, func(m check.Measurement) bool {
		return m.Name == "UDP echo" && m.Node == three[0] && m.Peer == three[2]
	})
	fail(&run, "pod.other-node", 1, check.Failure{Node: three[0], Peer: three[2], Wanted: "an answer", Observed: "udp 10.244.2.3:8081: timed out"})
	if g := gridOf(t, run, "TCP"); strings.Contains(g.picture(), "failed") {
		t.Error("TCP:", g.picture())
	}
	g := gridOf(t, run, "UDP")
	if g.picture() != "passed passed failed / passed passed passed / passed passed passed" {
		t.Error("UDP:", g.picture())
	}
	if m := g.Rows[0].Marks[2]; m.Observed != "udp 10.244.2.3:8081: timed out" || m.Check != "pod.other-node" {
		t.Errorf("%+v", m)
	}
}

func TestGridOfANodeThatIsBlocked(t *testing.T) {
	g := gridOf(t, brokenRun(), "TCP")
	if g.picture() != "passed passed blocked / passed passed blocked / blocked blocked blocked" {
		t.Error(g.picture())
	}
}

// TestGridOfAProtocolThatNeverPasses: no time is recorded anywhere.
func TestGridOfAProtocolThatNeverPasses(t *testing.T) {
	run := healthy()
	res := of(&run, "pod.other-node")
	res.Measurements, res.Outcome = nil, check.Failed
	for _, from := range three {
		for _, to := range three {
			if from != to {
				res.Failures = append(res.Failures, check.Failure{Node: from, Peer: to, Wanted: "an answer", Observed: "none"})
			}
		}
	}
	of(&run, "pod.same-node").Measurements = nil
	g := gridOf(t, run, "TCP")
	if g.picture() != "none failed failed / failed none failed / failed failed none" || g.Note != "none of 6 reached" {
		t.Error(g.picture(), g.Note)
	}
}

// sampled is a run on n nodes that asked each for its neighbours, where one node
// is cut off.
func sampled(n int) Run {
	run := healthy()
	run.Cluster.Nodes = nil
	name := func(i int) string { return fmt.Sprintf("ip-10-0-%d.example.internal", (i+n)%n) }
	for i := range n {
		run.Cluster.Nodes = append(run.Cluster.Nodes, Node{Name: name(i)})
	}
	for i := range run.Results {
		res := &run.Results[i]
		res.Measurements, res.Nodes = nil, nil
		for _, node := range run.Cluster.Nodes {
			res.Nodes = append(res.Nodes, check.NodeResult{Node: node.Name, Outcome: res.Outcome})
			res.Measurements = append(res.Measurements, check.Measurement{Name: "sandbox latency", Node: node.Name, Value: float64(len(res.Nodes)), Unit: "ms"},
				check.Measurement{Name: "some figure", Node: node.Name, Value: 1, Unit: "count"})
		}
	}
	res := of(&run, "pod.other-node")
	res.Outcome = check.Failed
	res.Nodes[7].Outcome = check.Failed
	for i := range n {
		for _, j := range []int{i - 1, i + 1} {
			if i == 7 || (j+n)%n == 7 {
				res.Failures = append(res.Failures, check.Failure{Node: name(i), Peer: name(j), Wanted: "an answer", Observed: "none"})
				continue
			}
			res.Measurements = append(res.Measurements, check.Measurement{Name: "TCP echo", Node: name(i), Peer: name(j), Value: 0.5, Unit: "ms"})
		}
	}
	return run
}

func TestGridOfManyNodes(t *testing.T) {
	run := sampled(100)
	g := gridOf(t, run, "TCP")
	if g.picture() != "none failed / failed passed" {
		t.Error(g.picture())
	}
	if m := g.Rows[0].Marks[1]; m.Text != "2 of 2" || m.Where != "ip-10-0-7.example.internal to 99 other nodes" {
		t.Errorf("%+v", m)
	}
	if g.Note != "196 of 200 reached; median 0.50 ms, slowest 0.50 ms (ip-10-0-0 to ip-10-0-1)" {
		t.Error(g.Note)
	}
	all := run.all()
	ch := drawn(all, newColumns(run, all))[0]
	if len(ch.Rows) != mostBars || ch.Hidden != 100-mostBars || ch.Rows[0].Full != "ip-10-0-99.example.internal" {
		t.Errorf("%d rows, %d hidden, first %s", len(ch.Rows), ch.Hidden, ch.Rows[0].Full)
	}
}

func TestPageOfAThousandNodes(t *testing.T) {
	html := render(t, sampled(1000))
	if len(html) > 300_000 {
		t.Errorf("the page has %d bytes", len(html))
	}
	for _, want := range []string{"999 other nodes", "940 more nodes are in", "988 nodes with shorter ones"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say what is left out: %s", want)
		}
	}
}

func TestStripShowsTheWorst(t *testing.T) {
	run := brokenRun()
	all := run.all()
	got := map[string]string{}
	for _, s := range strips(run, all, newColumns(run, all)) {
		var signs []string
		for _, m := range s.Marks {
			signs = append(signs, m.Class+" "+m.Text)
		}
		got[s.Area] = strings.Join(signs, ", ")
	}
	for area, want := range map[string]string{
		"cni":     "passed 2, passed 2, failed 1 of 2",
		"sandbox": "passed 3, passed 3, failed 1 of 3",
		"pod":     "advisory 1 of 3, passed 3, blocked 2 of 3",
		"dns":     "passed 1, passed 1, blocked 1 of 2",
		"egress":  "skipped 1, skipped 1, skipped 1",
	} {
		if got[area] != want {
			t.Errorf("%s: %s, want %s", area, got[area], want)
		}
	}
}

func TestShortNames(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"blue-control-plane blue-worker blue-worker2", "control-plane worker worker2"},
		{"ip-10-0-1-5.eu.internal ip-10-0-1-77.eu.internal", "ip-10-0-1-5 ip-10-0-1-77"},
		{"a b", "a b"},
		{"node node2", "node node2"},
		{"only", "only"},
		{"x.example y.example", "x y"},
	} {
		names := strings.Fields(c.names)
		short, _ := shorten(names)
		col := columns{short: short}
		var got []string
		for _, n := range names {
			got = append(got, col.Short(n))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.names, got, c.want)
		}
	}
}

func TestHeadersAddUp(t *testing.T) {
	run := healthy()
	said := func() string {
		all := run.all()
		var list []string
		for _, s := range newMTUTable(run, all, newColumns(run, all)).Sums {
			list = append(list, fmt.Sprint(s.Whole.Bytes, s.Headers, s.Left.Bytes, " ", s.Class, ": ", s.Says, " on ", len(s.Nodes)))
		}
		return strings.Join(list, "\n")
	}
	want := `1500 [{IPv4 20} {UDP 8} {VXLAN 8} {inner Ethernet 14}] 1450 passed: the pod's 1450 fit exactly on 3
1450 [{IPv4 20} {TCP 20}] 1410 passed: a packet of 1450 passes whole on 3`
	if got := said(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	mtu := of(&run, "mtu.path")
	for i, m := range mtu.Measurements {
		if m.Name == underlayMTU && m.Node == three[2] || strings.HasPrefix(m.Name, pathMTU) && m.Node == three[2] {
			mtu.Measurements[i].Value = 1400
		}
	}
	for _, want := range []string{
		"1400 [{IPv4 20} {UDP 8} {VXLAN 8} {inner Ethernet 14}] 1350 failed: 100 bytes too many: packets of 1450 do not fit on 1",
		"failed: a path carries 1400 only: 50 bytes too few on 1",
	} {
		if got := said(); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestFiguresThatNothingDraws(t *testing.T) {
	run := healthy()
	all := run.all()
	list := figures(all, newColumns(run, all))
	if len(list) != 1 || list[0].Name != "addresses taken and given back" || !slices.Equal(list[0].Cells, []string{"", "20", ""}) {
		t.Errorf("%+v", list)
	}
}
