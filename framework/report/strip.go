// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
)

// mark is a cell of a picture: a colour and a sign, a word beside it, and what
// is told of it to those who point at it or cannot see it.
type mark struct {
	// Class is an outcome, or one of the three below; it names colour and sign.
	Class string
	Text  string
	// Where is what it is about; Says what is to be known of it.
	Where, Says string
	// Wanted and Observed are of a failure.
	Wanted, Observed string
	// Check is one whose failure is told of further down.
	Check string
}

// Classes beyond the outcomes.
const (
	advisory = "advisory" // a failure that does not count
	blocked  = "blocked"  // inconclusive for a failed prerequisite
	none     = "none"     // nothing was asked
)

// Calm tells that there is nothing to look into.
func (m mark) Calm() bool {
	return m.Class == string(check.Passed) || m.Class == string(check.NotApplied) || m.Class == none
}

// strip is an area and what became of it on each node.
type strip struct {
	Area  string
	Marks []mark
}

// strips are one for each area that has checks.
func strips(run Run, all []check.Result, c columns) []strip {
	var list []strip
	for _, area := range check.Areas {
		t := tallies{run: run, classes: map[string][][]string{}}
		for _, res := range all {
			if res.Area == area {
				t.add(res, c)
			}
		}
		if t.checks == 0 {
			continue
		}
		s := strip{Area: area}
		for i, h := range c.Heads() {
			s.Marks = append(s.Marks, t.mark(i, area+" on "+h.Full))
		}
		list = append(list, s)
	}
	return list
}

// tallies are the checks of an area by their class in each column.
type tallies struct {
	run     Run
	checks  int
	classes map[string][][]string
}

// add counts what res came to in each column: the worst of its nodes. Where it
// is not about nodes, its outcome is that of every column.
func (t *tallies) add(res check.Result, c columns) {
	t.checks++
	on := byNode(res)
	for i := range c.Len() {
		worst := ""
		for _, node := range c.nodes(i) {
			n := on(node)
			if len(res.Nodes) == 0 {
				n.Outcome, n.BlockedBy = res.Outcome, res.BlockedBy
			}
			if class := t.class(res, n); severity(class) > severity(worst) {
				worst = class
			}
		}
		if t.classes[worst] == nil {
			t.classes[worst] = make([][]string, c.Len())
		}
		t.classes[worst][i] = append(t.classes[worst][i], res.ID)
	}
}

func (t *tallies) class(res check.Result, n check.NodeResult) string {
	switch {
	case n.Outcome == "":
		return none
	case n.Outcome == check.Failed && !t.run.counts(res):
		return advisory
	case n.Outcome == check.Unknown && n.BlockedBy != "":
		return blocked
	}
	return string(n.Outcome)
}

// severities are the classes from the least to the most severe. That a claim
// does not apply is no reason to show a whole area as such.
var severities = []string{"", none, string(check.NotApplied), string(check.Passed), advisory, string(Skipped), blocked, string(check.Unknown), string(check.Failed)}

func severity(class string) int { return slices.Index(severities, class) }

// mark is the most severe class of the column, with how many checks have it.
func (t *tallies) mark(column int, where string) mark {
	m := mark{Class: none, Where: where}
	var says []string
	for _, class := range slices.Backward(severities) {
		if t.classes[class] == nil || len(t.classes[class][column]) == 0 {
			continue
		}
		ids := t.classes[class][column]
		if len(says) == 0 {
			m.Class, m.Text = class, fmt.Sprintf("%d of %d", len(ids), t.checks)
			if len(ids) == t.checks || class == string(check.Passed) {
				m.Text = fmt.Sprint(len(ids))
			}
			if class == string(check.Failed) || class == advisory {
				m.Check = ids[0]
			}
		}
		sentence := fmt.Sprintf("%d %s", len(ids), inWords(class))
		if severity(class) > severity(string(check.Passed)) {
			sentence += " (" + some(ids, 4) + ")"
		}
		says = append(says, sentence)
	}
	m.Says = strings.Join(says, ", ")
	return m
}

// inWords is a class as people say it.
func inWords(class string) string {
	switch class {
	case none:
		return "not asked"
	case advisory:
		return "advisory failed"
	}
	return words(check.Outcome(class))
}
