// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/diagnosis"
)

func TestJudge(t *testing.T) {
	set := func(id string, o check.Outcome) func(*Run) {
		return func(run *Run) { of(run, id).Outcome = o }
	}
	drop := func(id string) func(*Run) {
		return func(run *Run) {
			run.Results = slices.DeleteFunc(run.Results, func(res check.Result) bool { return res.ID == id })
		}
	}
	strict := func(run *Run) { run.Strict = true }
	for name, test := range map[string]struct {
		edits []func(*Run)
		want  string
	}{
		"all pass or do not apply":       {nil, Success},
		"required failed":                {[]func(*Run){set("dns.service-name", check.Failed)}, Failure},
		"required inconclusive":          {[]func(*Run){set("dns.service-name", check.Unknown)}, Partial},
		"required did not run":           {[]func(*Run){drop("dns.service-name")}, Partial},
		"failed and inconclusive":        {[]func(*Run){set("dns.service-name", check.Unknown), set("mtu.path", check.Failed)}, Failure},
		"advisory failed":                {[]func(*Run){set("pod.hairpin", check.Failed)}, Success},
		"advisory did not run":           {[]func(*Run){drop("pod.hairpin")}, Success},
		"advisory failed, strict":        {[]func(*Run){set("pod.hairpin", check.Failed), strict}, Failure},
		"advisory inconclusive, strict":  {[]func(*Run){set("pod.hairpin", check.Unknown), strict}, Partial},
		"advisory did not run, strict":   {[]func(*Run){drop("pod.hairpin"), strict}, Partial},
		"not complete":                   {[]func(*Run){func(run *Run) { run.Complete = false }}, Partial},
		"not complete, failed":           {[]func(*Run){func(run *Run) { run.Complete = false }, set("mtu.path", check.Failed)}, Failure},
		"stopped half-way":               {[]func(*Run){func(run *Run) { run.Problem = "interrupted" }}, Partial},
		"could not start":                {[]func(*Run){func(run *Run) { run.Problem, run.Results = "no kubeconfig", nil }}, Failure},
		"nothing selected":               {[]func(*Run){func(run *Run) { run.Checks, run.Results = nil, nil }}, Failure},
		"a prerequisite nobody selected": {[]func(*Run){set("mtu.path", check.Failed), func(run *Run) { run.Checks = run.Checks[:2] }}, Failure},
	} {
		t.Run(name, func(t *testing.T) {
			run := healthy()
			for _, edit := range test.edits {
				edit(&run)
			}
			if got := Judge(run).Verdict; got != test.want {
				t.Errorf("verdict %s, want %s", got, test.want)
			}
		})
	}
}

func TestRowsHaveEveryCheckOnce(t *testing.T) {
	run := brokenRun()
	run.Checks = run.Checks[3:] // the first three ran as prerequisites only
	v := Judge(run)
	var got []string
	total := 0
	for _, row := range v.Rows {
		if row.Node == "" {
			got = append(got, row.Check)
		}
	}
	for _, n := range v.Counts {
		total += n
	}
	all := brokenRun()
	var want []string
	for _, c := range all.Checks {
		want = append(want, c.ID)
	}
	// A prerequisite that was not selected comes after the selected of its area.
	slices.SortFunc(got, strings.Compare)
	slices.SortFunc(want, strings.Compare)
	if !slices.Equal(got, want) || total != len(want) {
		t.Errorf("rows of %v, counts of %d; want %d: %v", got, total, len(want), want)
	}
}

func TestFindingsAreListedOnce(t *testing.T) {
	f := func(code diagnosis.Code, confidence float64, file string, nodes ...string) diagnosis.Finding {
		return diagnosis.Finding{Code: code, Confidence: confidence, Nodes: nodes, Evidence: []diagnosis.Quote{{File: file, Line: 1}}}
	}
	run := Run{Bundles: []Bundle{
		{Check: "a", Dir: "evidence/a", Findings: []diagnosis.Finding{f("X", 0.5, "x", "n1", "n2"), f("Y", 0.6, "y")}},
		{Check: "b", Dir: "evidence/b", Findings: []diagnosis.Finding{f("X", 0.9, "x", "n2", "n1"), f("X", 0.6, "x", "n3")}},
		{Check: "c", Dir: "evidence/c", Findings: []diagnosis.Finding{f("X", 0.6, "z", "n3")}},
	}}
	var got []string
	for _, f := range Judge(run).Findings {
		got = append(got, key(f)+" "+f.Evidence[0].File)
	}
	want := []string{"X n1,n2 evidence/b/x", "X n3 evidence/b/x", "Y  evidence/a/y"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if run.Bundles[1].Findings[0].Evidence[0].File != "x" {
		t.Error("the bundle's own finding was changed")
	}
}

func TestWriteAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "artifacts")
	run := brokenRun()
	for range 2 { // the second replaces the first
		if err := Write(dir, run); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(files) {
		t.Errorf("the directory holds %v, %v; want %d files and nothing temporary", entries, err, len(files))
	}
	again, err := Read(dir)
	run.SchemaVersion = schemaVersion
	if err != nil || !reflect.DeepEqual(again, run) {
		t.Errorf("read %+v, %v\nwrote %+v", again, err, run)
	}
	v, err := ReadVerdict(filepath.Join(dir, "verdict.json"))
	if err != nil || !reflect.DeepEqual(v, Judge(run)) {
		t.Errorf("read %+v, %v", v, err)
	}
	if _, err := ReadVerdict(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing verdict: %v", err)
	}
	later := filepath.Join(dir, "later.json")
	if err := os.WriteFile(later, []byte(`{"schemaVersion": 2, "verdict": "success"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadVerdict(later); err == nil || !strings.Contains(err.Error(), "schema version 2") {
		t.Errorf("a verdict of another schema: %v", err)
	}
	if err := Write(filepath.Join(dir, "verdict.json"), run); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestFacts(t *testing.T) {
	got := Facts(&cluster.Cluster{
		Name: "kind-blue", Server: "v1.36.3", ProxyMode: "iptables", Families: []corev1.IPFamily{corev1.IPv4Protocol},
		CNI:      cluster.CNI{Kind: "flannel", Version: "v0.28.4", Backend: "vxlan"},
		PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")},
		Nodes: []cluster.Node{
			{Name: "a", ControlPlane: true, Ready: true, InternalIPs: []netip.Addr{netip.MustParseAddr("172.18.0.2")}, Runtime: "containerd", RuntimeVersion: "2.3.7"},
			{Name: "b"},
		},
	})
	want := Cluster{
		Name: "kind-blue", Server: "v1.36.3", ProxyMode: "iptables", Families: []string{"IPv4"}, CNI: "flannel v0.28.4 (vxlan)",
		PodCIDRs: []string{"10.244.0.0/16"},
		Nodes: []Node{
			{Name: "a", Role: "control-plane", IPs: []string{"172.18.0.2"}, Runtime: "containerd 2.3.7"},
			{Name: "b", Role: "worker", NotReady: "not Ready"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		412 * time.Millisecond: "412 ms", 1290 * time.Millisecond: "1.3 s", 23 * time.Second: "23 s",
		96 * time.Second: "1 min 36 s", 119*time.Second + 900*time.Millisecond: "2 min 0 s",
	} {
		if got := took(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for _, test := range []struct {
		value      float64
		unit, want string
	}{{412.4, "ms", "412 ms"}, {0.314, "ms", "0.31 ms"}, {3, "count", "3"}, {12.5, "percent", "12 %"}} {
		if got := amount(test.value, test.unit); got != test.want {
			t.Errorf("%v %s is %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}
