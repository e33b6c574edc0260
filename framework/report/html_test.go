// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/evidence"
)

func render(t *testing.T, run Run) string {
	t.Helper()
	data, err := page(run)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// balanced reports elements that are not closed in order.
func balanced(t *testing.T, html string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "br"}, xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPageLinksLeadSomewhere(t *testing.T) {
	for _, run := range []Run{healthy(), brokenRun(), {}} {
		html := render(t, run)
		balanced(t, html)
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(html, -1) {
			if ids[m[1]] {
				t.Errorf("two elements have the id %q", m[1])
			}
			ids[m[1]] = true
		}
		for _, m := range regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(html, -1) {
			anchor, inside := strings.CutPrefix(m[1], "#")
			switch {
			case inside && !ids[anchor]:
				t.Errorf("a link leads to %s, which is not there", m[1])
			case strings.Contains(m[1], "//") || strings.ContainsAny(m[1], " #?") && !inside:
				t.Errorf("the link %q leads off the page's folder", m[1])
			}
		}
		for _, m := range regexp.MustCompile(` aria-labelledby="([^"]*)"`).FindAllStringSubmatch(html, -1) {
			if !ids[m[1]] {
				t.Errorf("a label refers to %s, which is not there", m[1])
			}
		}
	}
}

func TestPageHoldsWhatMatters(t *testing.T) {
	html := render(t, brokenRun())
	for _, want := range []string{
		"CNI_CONFIG_MISSING",
		`href="./evidence/sandbox.starts-on-every-node/nodes/blue-worker2/containerd.log"`,
		"containerd.log:1042",
		`href="./evidence/sandbox.starts-on-every-node/cluster/pods%20%231.txt"`,
		"0c9d&lt;&amp;&gt;",
		"previous terminated container",
		"kubectl -n kube-flannel delete pod",
		"2 secrets redacted",
		"NODE_FIREWALL_DROP",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("lacks %s", want)
		}
	}
	if strings.Count(html, `id="cause-CNI_CONFIG_MISSING`) != 1 {
		t.Error("the cause of two failures is not shown once")
	}
}

func TestPageTrustsNothing(t *testing.T) {
	run := brokenRun()
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	run.Cluster.Name, run.Rerun, run.Problem = evil, evil, evil
	f := &run.Bundles[0].Findings[0]
	f.Title, f.Fix, f.Nodes = evil, []string{evil}, []string{evil}
	f.Evidence[0].Text, f.Evidence[0].File = evil, "javascript:alert(1)"
	run.Bundles[0].Manifest.Items[0].Path = "javascript:alert(1)"
	html := render(t, run)
	if strings.Contains(html, "<script") || strings.Contains(html, "<img") || strings.Contains(html, `href="javascript`) {
		t.Error("text from the cluster became markup")
	}
}

// large is a run on n nodes where everything that can be said is said.
func large(n int) Run {
	run := brokenRun()
	run.Cluster.Nodes = nil
	for i := range n {
		run.Cluster.Nodes = append(run.Cluster.Nodes, Node{Name: fmt.Sprintf("node-%04d.example.internal", i), Role: "worker", IPs: []string{"10.0.0.1"}, Kubelet: "v1.36.3"})
	}
	finding := run.Bundles[1].Findings[0]
	run.Results, run.Checks, run.Bundles = nil, nil, nil
	for i := range 60 {
		id := fmt.Sprintf("pod.claim-%d", i)
		res := check.Result{ID: id, Title: "a claim of some length about what pods can do", Area: "pod", Level: check.Required, Outcome: check.Failed, Attempts: 3}
		for j, node := range run.Cluster.Nodes {
			nr := check.NodeResult{Node: node.Name, Outcome: check.Passed}
			if j%3 == 0 {
				nr.Outcome, nr.Reason = check.Failed, strings.Repeat("a long reason ", 20)
				res.Failures = append(res.Failures, check.Failure{Node: node.Name, Wanted: "an answer", Observed: nr.Reason})
			}
			res.Nodes = append(res.Nodes, nr)
			res.Measurements = append(res.Measurements, check.Measurement{Name: "latency", Node: node.Name, Value: float64(j), Unit: "ms"})
		}
		b := Bundle{Check: id, Dir: "evidence/" + id, Findings: []diagnosis.Finding{finding}}
		for j := range 400 {
			b.Manifest.Items = append(b.Manifest.Items, evidence.Item{Path: fmt.Sprintf("nodes/n/file-%d.log", j), Command: "docker exec n journalctl -u kubelet --since 1h", Status: evidence.Collected, Size: 100})
		}
		run.Results, run.Bundles = append(run.Results, res), append(run.Bundles, b)
		run.Checks = append(run.Checks, Check{ID: id, Title: res.Title, Area: "pod", Level: check.Required})
	}
	return run
}

func TestPageOfALargeRunStaysSmall(t *testing.T) {
	run := large(300)
	html := render(t, run)
	if len(html) > 1_000_000 {
		t.Errorf("the page has %d bytes, want at most 1 MB", len(html))
	}
	all := run.all()
	c := newColumns(run, all)
	if heads := c.Heads(); len(heads) != mostColumns+1 || heads[mostColumns].Full != "294 other nodes" {
		t.Errorf("columns %q", heads)
	}
	cells := tabulate(run, all, c)[0].Rows[0].Cells
	if last := cells[len(cells)-1]; last.Text != "94 failed" || last.Class != "failed" {
		t.Errorf("the cell of the other nodes is %+v", last)
	}
}

func TestColumnsOfHealthyManyNodes(t *testing.T) {
	run := large(10)
	for i := range run.Results {
		run.Results[i].Outcome, run.Results[i].Failures = check.Passed, nil
		for j := range run.Results[i].Nodes {
			run.Results[i].Nodes[j] = check.NodeResult{Node: run.Results[i].Nodes[j].Node, Outcome: check.Passed}
		}
	}
	bad := &run.Results[7]
	bad.Outcome, bad.Nodes[4].Outcome, bad.Nodes[4].BlockedBy = check.Unknown, check.Unknown, "pod.claim-1"
	all := run.all()
	c := newColumns(run, all)
	if want := []head{{"node-0004", "node-0004.example.internal"}, {"9 other nodes", "9 other nodes"}}; !slices.Equal(c.Heads(), want) {
		t.Errorf("columns %q, want %q", c.Heads(), want)
	}
	if cells := tabulate(run, all, c)[0].Rows[7].Cells; cells[0].Text != "blocked" || cells[1].Text != "passed" {
		t.Errorf("cells %+v", cells)
	}
}
