// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/evidence"
	"github.com/cniproof/cniproof/framework/gate"
)

//go:embed report.css picture.css gate.css
var styles embed.FS

//go:embed report.tmpl picture.tmpl gate.tmpl
var templates embed.FS

var layout = template.Must(template.New("report.tmpl").Funcs(template.FuncMap{
	"took":     took,
	"size":     size,
	"amount":   amount,
	"sureness": sureness,
	"percent":  func(confidence float64) int { return int(100*confidence + 0.5) },
	"join":     func(list []string) string { return some(list, mostNames) },
	"first":    func(list []string) []string { return list[:min(len(list), mostNames)] },
	"more":     func(list []string) int { return max(0, len(list)-mostNames) },
	"cut":      cut,
	"brief":    func(s string) string { return short(s, longestTip) },
	"utc":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"href":     href,
	"words":    words,

	"happening": gate.Words,
	"exempt":    exempt,
}).ParseFS(templates, "*.tmpl"))

// What a browser and a reader can take. Everything left out is in report.json
// and in the bundles, and the page says so.
const (
	mostFailures    = 40   // of one check
	mostFailuresAll = 400  // of all checks
	mostItems       = 150  // of one bundle
	mostItemsAll    = 1000 // of all bundles
	mostNames       = 12   // nodes or checks in one list
	mostNodes       = 60   // of the table of nodes
	mostTruths      = 12   // nodes and pairs that failed, in one table
	mostGrids       = 24   // pictures of who reaches whom
	longestText     = 1500 // characters of something observed or quoted
	longestTip      = 300  // characters of it where space is scarce
)

// view is what the page shows, ready for the template.
type view struct {
	CSS     template.CSS
	Columns columns
	Legend  []mark
	Strips  []strip
	Grids   []grid
	Untold  int // grids left out
	Charts  []chart
	MTU     mtuTable
	Truth   []truth
	// TruthLeft is how many nodes and pairs are left out.
	TruthLeft int
	Run       Run
	Verdict   Verdict
	Headline  string
	Broken    []string
	Outcomes  []tallied
	Facts     []fact
	Causes    []cause
	Failures  []failure
	Open      []line // not measured, blocked and skipped
	Checks    []section
	Figures   []figure
	Timeline  *timeline // of a gate
	Nodes     []Node
	// NodesLeft is how many of the cluster's are left out.
	NodesLeft int
}

// tallied is how many checks have an outcome.
type tallied struct {
	Class, Text string
	N           int
}

// fact is one thing known of the cluster or the run.
type fact struct{ Name, Value string }

// cause is a finding and what it explains.
type cause struct {
	diagnosis.Finding
	Anchor string
	Checks []string
}

// failure is a failed check with its evidence.
type failure struct {
	check.Result
	Advisory bool
	Nodes    []string
	Shown    []check.Failure
	Hidden   int
	Causes   []cause
	Bundle   Bundle
	Missing  []evidence.Item
	Had      []item
	Left     int // items that are in the manifest only
}

type item struct {
	evidence.Item
	Href string
}

// page renders report.html: one file that needs nothing but itself, and the
// bundles beside it for its links.
func page(run Run) ([]byte, error) {
	v := Judge(run)
	all := run.all()
	c := newColumns(run, all)
	p := view{
		CSS: css(run), Run: run, Verdict: v, Headline: headline(run, v),
		Broken: broken(run), Facts: facts(run), Causes: causes(run, v),
		Columns: c, Strips: strips(run, all, c), Charts: drawn(all, c), MTU: newMTUTable(run, all, c),
		Checks: tabulate(run, all, c), Figures: figures(all, c),
	}
	p.Grids, p.Untold = most(grids(run, all, c), mostGrids)
	p.Legend = legend(p)
	p.Truth, p.TruthLeft = most(truths(run, all), mostTruths)
	p.Nodes, p.NodesLeft = most(remarkable(run.Cluster.Nodes, c), mostNodes)
	p.Timeline = newTimeline(run.Gate)
	p.Failures = failures(run, p.Causes)
	p.Open = slices.DeleteFunc(open(run), func(l line) bool { return l.Outcome == check.Failed })
	for _, o := range outcomes {
		if n := v.Counts[string(o)]; n > 0 {
			p.Outcomes = append(p.Outcomes, tallied{string(o), words(o), n})
		}
	}
	var b bytes.Buffer
	err := layout.Execute(&b, p)
	return b.Bytes(), err
}

func css(run Run) template.CSS {
	var b strings.Builder
	sheets := []string{"report.css", "picture.css"}
	if run.Gate != nil {
		sheets = append(sheets, "gate.css")
	}
	for _, name := range sheets {
		sheet, err := styles.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		b.Write(sheet)
	}
	return template.CSS(b.String())
}

// most is at most n of list, and how many are left out.
func most[T any](list []T, n int) ([]T, int) {
	n = min(n, len(list))
	return list[:n], len(list) - n
}

func facts(run Run) []fact {
	c := run.Cluster
	list := []fact{
		{"Cluster", c.Name},
		{"Kubernetes", c.Server},
		{"CNI", c.CNI},
		{"kube-proxy", c.ProxyMode},
		{"Address families", strings.Join(c.Families, ", ")},
		{"Pod ranges", strings.Join(c.PodCIDRs, ", ")},
		{"Service ranges", strings.Join(c.ServiceCIDRs, ", ")},
		{"Limited to", run.Selection},
		{"Run", run.ID},
		{"cniproof", run.Tool},
	}
	return slices.DeleteFunc(list, func(f fact) bool { return f.Value == "" })
}

func causes(run Run, v Verdict) []cause {
	var list []cause
	for _, f := range v.Findings {
		c := cause{Finding: f, Anchor: "cause-" + strings.Map(anchorRune, key(f))}
		for _, b := range run.Bundles {
			if slices.ContainsFunc(b.Findings, func(other diagnosis.Finding) bool { return key(other) == key(f) }) {
				c.Checks = append(c.Checks, b.Check)
			}
		}
		list = append(list, c)
	}
	return list
}

func anchorRune(r rune) rune {
	if r == ' ' || r == ',' {
		return '-'
	}
	return r
}

// failures are the failed checks, those that count first.
func failures(run Run, causes []cause) []failure {
	var list []failure
	items, rows := mostItemsAll, mostFailuresAll
	for _, counts := range []bool{true, false} {
		for _, res := range run.all() {
			if res.Outcome != check.Failed || run.counts(res) != counts {
				continue
			}
			f := failure{Result: res, Advisory: !counts, Nodes: where(res), Bundle: run.bundle(res.ID)}
			f.Shown = res.Failures[:min(len(res.Failures), mostFailures, rows)]
			f.Hidden = len(res.Failures) - len(f.Shown)
			rows -= len(f.Shown)
			for _, c := range causes {
				if slices.Contains(c.Checks, res.ID) {
					f.Causes = append(f.Causes, c)
				}
			}
			f.sortItems(max(0, min(items, mostItems)))
			items -= len(f.Had) + len(f.Missing)
			list = append(list, f)
		}
	}
	return list
}

// Width is the number of columns of the table of all checks.
func (p view) Width() int { return p.Columns.Len() + 2 }

// sortItems parts what was had from what was not, and shows at most n of each.
func (f *failure) sortItems(n int) {
	for _, i := range f.Bundle.Manifest.Items {
		switch {
		case i.Path == "" || i.Status != evidence.Collected && i.Size == 0:
			if len(f.Missing) < n {
				f.Missing = append(f.Missing, i)
				continue
			}
		case len(f.Had) < n:
			f.Had = append(f.Had, item{i, href(path.Join(f.Bundle.Dir, i.Path))})
			continue
		}
		f.Left++
	}
}

// cut shortens what is too long for the page, which then says so.
func cut(s string) string {
	if runes := []rune(s); len(runes) > longestText {
		return fmt.Sprintf("%s ... (%d characters more)", string(runes[:longestText]), len(runes)-longestText)
	}
	return s
}

// href is a link to a file beside the page. The leading dot keeps a name with a
// colon from being taken for a scheme.
func href(file string) string {
	return (&url.URL{Path: "./" + file}).String()
}
