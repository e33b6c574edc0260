// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/monitor"
)

func TestParseBudget(t *testing.T) {
	b, err := ParseBudget("30s, service=0s,broken=3, service/held=1m")
	if err != nil || b.Total != 30*time.Second || b.Kinds["service"] != 0 || b.Kinds["service/held"] != time.Minute || b.Broken != 3 {
		t.Errorf("%+v, %v", b, err)
	}
	if b.Kinds["dns"] != DefaultBudget().Kinds["dns"] {
		t.Error("a kind that was not named has another budget than the default")
	}
	for _, bad := range []string{"x", "-1s", "service=", "sevice=1s", "broken=1s", "broken=-1", "dns/held=1s"} {
		var problem *config.Problem
		if _, err := ParseBudget(bad); !errors.As(err, &problem) {
			t.Errorf("%q: %v, wanted a problem", bad, err)
		}
	}
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func gap(p monitor.Path, from, length time.Duration) monitor.Gap {
	return monitor.Gap{Path: p, Begin: start.Add(from), End: start.Add(from + length), Lost: 1, Letters: "t"}
}

func pathOn(node, way, flow string) monitor.Path {
	return monitor.Path{Node: node, Way: way, Flow: flow, Family: "ipv4"}
}

func TestSpend(t *testing.T) {
	a, b := pathOn("a", monitor.Service, monitor.FlowTCP), pathOn("b", monitor.Service, monitor.FlowTCP)
	held := pathOn("a", monitor.Service, monitor.FlowHeld)
	lost := gap(held, 0, time.Second)
	lost.Broken = 1
	own := gap(b, 0, time.Hour)
	own.Own = true
	control := pathOn("a", monitor.ControlNode, monitor.FlowTCP)
	spent := map[string]Spent{}
	for _, s := range DefaultBudget().spend([]PathResult{
		{Path: a, Gaps: []monitor.Gap{gap(a, 0, time.Second), gap(a, 5*time.Second, 2*time.Second)}},
		{Path: b, Gaps: []monitor.Gap{gap(b, 6*time.Second, 2*time.Second), own}},
		{Path: held, Gaps: []monitor.Gap{lost}},
		{Path: control, Gaps: []monitor.Gap{gap(control, 0, time.Hour)}},
	}) {
		spent[s.Kind] = s
	}
	if s := spent[Total]; s.Used != 4*time.Second || s.Over() || s.Gaps != 4 {
		t.Errorf("total %+v, wanted 4s of overlapping gaps", s)
	}
	if s := spent["service"]; s.Used != 3*time.Second || !s.Over() || s.Worst != a.String() {
		t.Errorf("service %+v, wanted the 3s of the worst path", s)
	}
	if s := spent["service/held"]; s.Used != time.Second || s.Over() {
		t.Errorf("service/held %+v", s)
	}
	if s := spent[Broken]; s.Used != 1 || !s.Over() {
		t.Errorf("broken %+v, wanted one more than allowed", s)
	}
}

func TestCompare(t *testing.T) {
	result := func(id string, o check.Outcome, red ...string) check.Result {
		r := check.Result{ID: id, Level: check.Required, Outcome: o}
		for _, node := range []string{"a", "b"} {
			n := check.NodeResult{Node: node, Outcome: check.Passed}
			if strings.Contains(strings.Join(red, " "), node) {
				n.Outcome = check.Failed
			}
			r.Nodes = append(r.Nodes, n)
		}
		return r
	}
	c := Compare(
		[]check.Result{
			result("same", check.Passed), result("worse", check.Passed), result("red", check.Failed, "a"), result("redder", check.Failed, "a"),
			result("cured", check.Failed, "a"), result("lost", check.Passed), result("absent", check.NotApplied),
		},
		[]check.Result{
			result("same", check.Passed), result("worse", check.Failed, "b"), result("red", check.Failed, "a"), result("redder", check.Failed, "a", "b"),
			result("cured", check.Passed), result("lost", check.Unknown), result("absent", check.Failed), result("new", check.Failed, "a"),
		})
	names := func(list []Change) string {
		var out []string
		for _, change := range list {
			out = append(out, strings.TrimSpace(change.Check+" "+strings.Join(change.Nodes, "+")))
		}
		return strings.Join(out, ",")
	}
	for what, got := range map[string][2]string{
		"regressions": {names(c.Regressions), "worse b,redder b,absent"},
		"unclear":     {names(c.Unclear), "lost"},
		"red before":  {names(c.RedBefore), "red"},
		"cured":       {names(c.Cured), "cured"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, wanted %q", what, got[0], got[1])
		}
	}
}

func TestFiguresThatMoved(t *testing.T) {
	of := func(latency, mtu float64) []check.Result {
		return []check.Result{{ID: "sandbox.latency-alike", Measurements: []check.Measurement{
			{Name: "sandbox", Node: "a", Value: latency, Unit: "ms"}, {Name: "sandbox", Node: "b", Value: 1, Unit: "ms"},
			{Name: "path MTU", Node: "a", Value: mtu, Unit: "bytes"}, {Name: "path MTU", Node: "b", Value: 1500, Unit: "bytes"},
		}}}
	}
	got := figures(of(100, 1450), of(200, 1000))
	if len(got) != 2 || got[0].After != 1000 || got[1].Before != 100 || got[1].After != 200 {
		t.Errorf("%+v, wanted the largest latency and the smallest MTU", got)
	}
	if got := figures(of(100, 1450), of(105, 1450)); len(got) != 0 {
		t.Errorf("%+v moved by next to nothing", got)
	}
}

func TestCommand(t *testing.T) {
	var out, log bytes.Buffer
	c := run(t.Context(), `echo one; printf '\033[31mred\033[0m\n' >&2; echo password=hunter2; exit 3`, time.Minute, &out, &log)
	if c.Failed() != "the command ended with exit code 3" || len(c.Lines) != 3 || c.Lines[0].Text != "one" || c.Lines[1].Text != "red" {
		t.Errorf("%+v", c)
	}
	if strings.Contains(out.String()+log.String(), "hunter2") {
		t.Error("a secret is in the output that is kept")
	}
}

// TestCommandGroupEnds has a command that leaves a child behind and ignores
// nothing: its time must end both.
func TestCommandGroupEnds(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "alive")
	begin := time.Now()
	c := run(t.Context(), `(sleep 3; touch `+marker+`) & sleep 60`, 300*time.Millisecond, &bytes.Buffer{}, &bytes.Buffer{})
	if !strings.Contains(c.Failed(), "took longer than 300ms") || time.Since(begin) > 5*time.Second {
		t.Errorf("%q after %s", c.Failed(), time.Since(begin))
	}
	time.Sleep(time.Until(begin.Add(3500 * time.Millisecond)))
	if _, err := os.Stat(marker); err == nil {
		t.Error("a child of the command outlived it")
	}
}

func TestCommandInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	if c := run(ctx, "sleep 60", time.Minute, &bytes.Buffer{}, &bytes.Buffer{}); c.Failed() != "interrupted" {
		t.Errorf("%q", c.Failed())
	}
}

func TestStateFromFileAndCluster(t *testing.T) {
	client := fake.NewClientset()
	file := filepath.Join(t.TempDir(), "state.json")
	want := State{ID: "x-mon", Run: "x", Begin: start, Until: start.Add(time.Hour), Results: []check.Result{{ID: "pod.same-node", Outcome: check.Passed}}}
	if err := want.Save(t.Context(), client, file); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(t.TempDir(), "gone.json"), ""} {
		got, err := Load(t.Context(), client, path)
		if err != nil || got.ID != "x-mon" || !got.Begin.Equal(start) || len(got.Results) != 1 {
			t.Errorf("from %q: %+v, %v", path, got, err)
		}
	}
	var problem *config.Problem
	if err := os.WriteFile(file, []byte(`{"version":7}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), client, file); !errors.As(err, &problem) {
		t.Errorf("a file that is no state: %v", err)
	}
	if _, err := Load(t.Context(), fake.NewClientset(), ""); !errors.As(err, &problem) {
		t.Errorf("no state anywhere: %v", err)
	}
}

func TestExplain(t *testing.T) {
	same := pathOn("worker2", monitor.SameNode, monitor.FlowTCP)
	service := pathOn("worker2", monitor.Service, monitor.FlowTCP)
	held := pathOn("worker2", monitor.Service, monitor.FlowHeld)
	flannel := monitor.Happening{At: start.Add(-time.Second), About: monitor.AboutCNI, Node: "worker2", What: "flannel was stopped"}
	elsewhere := monitor.Happening{At: start, About: monitor.AboutCNI, Node: "worker9", What: "flannel was stopped"}
	proxy := monitor.Happening{At: start, About: monitor.AboutProxy, Node: "worker2", What: "kube-proxy was stopped"}
	broken := gap(held, 0, 15*time.Second)
	broken.Broken = 1
	for name, c := range map[string]struct {
		path       monitor.Path
		gap        monitor.Gap
		happenings []monitor.Happening
		want       string
	}{
		"the CNI of the node":      {same, gap(same, 0, time.Second), []monitor.Happening{elsewhere, proxy, flannel}, "flannel was stopped on worker2"},
		"kube-proxy for a Service": {service, gap(service, 0, time.Second), []monitor.Happening{flannel, proxy}, "kube-proxy was stopped on worker2"},
		"nothing":                  {same, gap(same, 0, time.Second), []monitor.Happening{elsewhere}, "nothing was seen to happen"},
		"established only":         {held, broken, nil, "connection tracking was flushed"},
	} {
		reasons := Explain([]PathResult{{Path: c.path, Gaps: []monitor.Gap{c.gap}}}, c.happenings, nil)
		if len(reasons) != 1 || !strings.Contains(reasons[0].Text, c.want) {
			t.Errorf("%s: %+v, wanted %q", name, reasons, c.want)
		}
	}
}
