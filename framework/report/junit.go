// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/check"
)

// The structure that JUnit consumers agree on: a testcase has at most one of
// error, failure and skipped, before its system-out. encoding/xml replaces
// characters that XML cannot hold.
type (
	testsuites struct {
		XMLName  xml.Name    `xml:"testsuites"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Suites   []testsuite `xml:"testsuite"`
	}
	testsuite struct {
		Name       string     `xml:"name,attr"`
		Tests      int        `xml:"tests,attr"`
		Failures   int        `xml:"failures,attr"`
		Errors     int        `xml:"errors,attr"`
		Skipped    int        `xml:"skipped,attr"`
		Time       string     `xml:"time,attr"`
		Timestamp  string     `xml:"timestamp,attr"`
		Properties []property `xml:"properties>property,omitempty"`
		Cases      []testcase `xml:"testcase"`

		took time.Duration
	}
	property struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	testcase struct {
		Name      string  `xml:"name,attr"`
		Classname string  `xml:"classname,attr"`
		Time      string  `xml:"time,attr"`
		Error     *detail `xml:"error"`
		Failure   *detail `xml:"failure"`
		Skipped   *detail `xml:"skipped"`
		Output    string  `xml:"system-out,omitempty"`
	}
	detail struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// junit renders junit.xml: a testsuite per area, a testcase per check, and one
// per node where a check is judged per node.
func junit(run Run) ([]byte, error) {
	doc := testsuites{Name: "cniproof", Time: seconds(run.Duration)}
	suites := []testsuite{}
	if ended, ok := unfinished(run); ok {
		s := newSuite(run, "run")
		s.add(testcase{Name: "the run starts and ends", Classname: "run", Time: seconds(0), Error: &ended})
		suites = append(suites, s)
	}
	if run.Gate != nil {
		suites = append(suites, gateSuite(run))
	}
	if len(run.Results) > 0 {
		for _, res := range run.all() {
			if len(suites) == 0 || suites[len(suites)-1].Name != res.Area {
				suites = append(suites, newSuite(run, res.Area))
			}
			s := &suites[len(suites)-1]
			s.took += res.Duration
			s.add(caseOf(run, res))
			if res.PerNode() {
				for _, n := range res.Nodes {
					s.add(caseOn(run, res, n))
				}
			}
		}
	}
	for _, s := range suites {
		s.Time = seconds(s.took)
		doc.Suites = append(doc.Suites, s)
		doc.Tests, doc.Failures, doc.Errors, doc.Skipped = doc.Tests+s.Tests, doc.Failures+s.Failures, doc.Errors+s.Errors, doc.Skipped+s.Skipped
	}
	data, err := xml.MarshalIndent(doc, "", "  ")
	return append([]byte(xml.Header), append(data, '\n')...), err
}

// unfinished is the error of a run that did not come to its end.
func unfinished(run Run) (detail, bool) {
	switch {
	case run.Problem != "":
		return detail{Message: run.Problem, Type: "problem", Text: run.Problem}, true
	case !run.Complete:
		return detail{Message: "the run goes on, or was killed", Type: "incomplete"}, true
	case len(run.Results) == 0:
		return detail{Message: "the run made no checks", Type: "empty"}, true
	}
	return detail{}, false
}

func newSuite(run Run, name string) testsuite {
	s := testsuite{Name: name, Timestamp: run.Started.UTC().Format("2006-01-02T15:04:05")}
	for _, p := range []property{
		{"run", run.ID}, {"tool", run.Tool}, {"cluster", run.Cluster.Name}, {"kubernetes", run.Cluster.Server},
		{"cni", run.Cluster.CNI}, {"kube-proxy", run.Cluster.ProxyMode},
	} {
		if p.Value != "" {
			s.Properties = append(s.Properties, p)
		}
	}
	return s
}

func (s *testsuite) add(c testcase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Error != nil:
		s.Errors++
	case c.Failure != nil:
		s.Failures++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func caseOf(run Run, res check.Result) testcase {
	c := testcase{Name: res.ID + ": " + res.Title, Classname: res.Area, Time: seconds(res.Duration)}
	var text strings.Builder
	for _, f := range res.Failures {
		fmt.Fprintln(&text, f.Error())
	}
	b := run.bundle(res.ID)
	for _, f := range b.Findings {
		fmt.Fprintf(&text, "probable cause: %s: %s (confidence %.2f)\n", f.Code, f.Title, f.Confidence)
	}
	if b.Dir != "" {
		fmt.Fprintf(&text, "evidence: %s\n", b.Dir)
	}
	c.settle(run, res, detail{Message: res.Reason, Type: string(res.Outcome), Text: text.String()})
	var figures strings.Builder
	for _, m := range res.Measurements {
		fmt.Fprintf(&figures, "%s %s: %s\n", m.Name, label(m), amount(m.Value, m.Unit))
	}
	c.Output = figures.String()
	return c
}

func caseOn(run Run, res check.Result, n check.NodeResult) testcase {
	// The check's own testcase has the time; viewers add up.
	c := testcase{Name: res.ID + " on " + n.Node, Classname: res.Area, Time: seconds(0)}
	res.Outcome = n.Outcome
	c.settle(run, res, detail{Message: n.Reason, Type: string(n.Outcome)})
	return c
}

// settle gives the testcase the element of its outcome. What does not count in
// the verdict does not fail a pipeline either.
func (c *testcase) settle(run Run, res check.Result, d detail) {
	switch {
	case res.Outcome == check.Passed:
	case res.Outcome == check.Failed && run.counts(res):
		c.Failure = &d
	default:
		d.Message = string(res.Outcome) + ": " + d.Message
		if res.Outcome == check.Failed {
			d.Message = exempt(run) + ", does not count: " + d.Message
		}
		c.Skipped = &d
	}
}

// label says where a figure was taken.
func label(m check.Measurement) string {
	switch {
	case m.Peer != "":
		return m.Node + " to " + m.Peer
	case m.Node != "":
		return m.Node
	}
	return "cluster"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
