// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cniproof/cniproof/framework/check"
)

// element is a parsed XML element, without what this package knows of JUnit.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []element  `xml:",any"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (e element) named(name string) []element {
	return slices.DeleteFunc(slices.Clone(e.Children), func(c element) bool { return c.XMLName.Local != name })
}

func (e element) number(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(e.attr(name))
	if err != nil {
		t.Errorf("%s has %s=%q: %v", e.XMLName.Local, name, e.attr(name), err)
	}
	return n
}

// parseJUnit checks the structure that CI viewers rely on and returns the
// testcases as "class | name | outcome".
func parseJUnit(t *testing.T, run Run) []string {
	t.Helper()
	data, err := junit(run)
	if err != nil {
		t.Fatal(err)
	}
	var root element
	d := xml.NewDecoder(strings.NewReader(string(data)))
	if err := d.Decode(&root); err != nil {
		t.Fatalf("not XML: %v\n%s", err, data)
	}
	if _, err := d.Token(); err != io.EOF && err != nil {
		t.Errorf("after the document: %v", err)
	}
	if root.XMLName.Local != "testsuites" {
		t.Fatalf("the root is %s", root.XMLName.Local)
	}
	var cases []string
	sums := map[string]int{}
	for _, suite := range root.Children {
		if suite.XMLName.Local != "testsuite" || suite.attr("name") == "" {
			t.Errorf("testsuites holds a %s named %q", suite.XMLName.Local, suite.attr("name"))
		}
		count := map[string]int{}
		for i, c := range suite.Children {
			switch c.XMLName.Local {
			case "properties":
				if i != 0 {
					t.Error("properties come after a testcase")
				}
				continue
			case "testcase":
			default:
				t.Errorf("testsuite holds a %s", c.XMLName.Local)
			}
			outcome := "passed"
			for _, child := range c.Children {
				switch name := child.XMLName.Local; name {
				case "failure", "skipped", "error":
					if outcome != "passed" {
						t.Errorf("testcase %s is %s and %s", c.attr("name"), outcome, name)
					}
					if child.attr("message") == "" {
						t.Errorf("testcase %s is %s without a message", c.attr("name"), name)
					}
					outcome = name
				case "system-out":
				default:
					t.Errorf("testcase holds a %s", name)
				}
			}
			if _, err := strconv.ParseFloat(c.attr("time"), 64); err != nil {
				t.Errorf("testcase %s: %v", c.attr("name"), err)
			}
			count["tests"]++
			count[map[string]string{"failure": "failures", "error": "errors", "skipped": "skipped", "passed": "passed"}[outcome]]++
			cases = append(cases, fmt.Sprintf("%s | %s | %s", c.attr("classname"), c.attr("name"), outcome))
		}
		for _, name := range []string{"tests", "failures", "errors", "skipped"} {
			if n := suite.number(t, name); n != count[name] {
				t.Errorf("testsuite %s says %s=%d and has %d", suite.attr("name"), name, n, count[name])
			}
			sums[name] += count[name]
		}
	}
	for name, sum := range sums {
		if n := root.number(t, name); n != sum {
			t.Errorf("testsuites says %s=%d and has %d", name, n, sum)
		}
	}
	return cases
}

func TestJUnitOfAHealthyRun(t *testing.T) {
	cases := parseJUnit(t, healthy())
	if len(cases) != 13 {
		t.Errorf("%d testcases, want one per check", len(cases))
	}
	for _, c := range cases {
		want := "passed"
		if strings.Contains(c, "ipv6") {
			want = "skipped"
		}
		if !strings.HasSuffix(c, want) {
			t.Errorf("%s, want %s", c, want)
		}
	}
}

func TestJUnitOfABrokenRun(t *testing.T) {
	cases := parseJUnit(t, brokenRun())
	for _, want := range []string{
		"sandbox | sandbox.starts-on-every-node: a pod starts on every node | failure",
		"sandbox | sandbox.starts-on-every-node on blue-worker2 | failure",
		"sandbox | sandbox.starts-on-every-node on blue-worker | passed",
		"pod | pod.same-node on blue-worker2 | skipped",
		"pod | pod.hairpin: a pod reaches itself through its Service | skipped", // advisory
		"egress | egress.https: a pod reaches an HTTPS server outside the cluster | skipped",
	} {
		if !slices.Contains(cases, want) {
			t.Errorf("lacks %q in\n%s", want, strings.Join(cases, "\n"))
		}
	}
	run := brokenRun()
	run.Strict = true
	if want := "pod | pod.hairpin on blue-control-plane | failure"; !slices.Contains(parseJUnit(t, run), want) {
		t.Errorf("strict lacks %q", want)
	}
}

func TestJUnitOfARunThatDidNotEnd(t *testing.T) {
	run := healthy()
	run.Results, run.Complete, run.Problem = nil, false, "no kubeconfig was given; pass -kubeconfig"
	if got, want := parseJUnit(t, run), []string{"run | the run starts and ends | error"}; !slices.Equal(got, want) {
		t.Errorf("could not start: got %q, want %q", got, want)
	}
	run.Problem = ""
	if got := parseJUnit(t, run); len(got) != 1 || !strings.HasSuffix(got[0], "error") {
		t.Errorf("killed before its first check: got %q", got)
	}
	run = healthy()
	run.Results, run.Complete = run.Results[:5], false
	got := parseJUnit(t, run)
	if len(got) != 14 || !strings.HasSuffix(got[0], "error") || !strings.HasSuffix(got[5], "passed") || !strings.HasSuffix(got[6], "skipped") {
		t.Errorf("killed after five checks: got %q", got)
	}
}

func TestJUnitHoldsAnyText(t *testing.T) {
	run := healthy()
	text := "a\x00b\x1b[31m\xff]]> <&\"' \u2028 ok"
	res := of(&run, "mtu.path")
	res.Outcome, res.Reason, res.Title = check.Failed, text, text
	res.Failures = []check.Failure{{Wanted: text, Observed: text}}
	res.Measurements = []check.Measurement{{Name: text, Unit: text}}
	run.Problem = text
	parseJUnit(t, run)
}
