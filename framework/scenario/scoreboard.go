// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/diagnosis"
)

// Scoreboard is how the harness did: a row per scenario, as plain data.
type Scoreboard struct {
	Started   time.Time `json:"started"`
	Scenarios []Outcome `json:"scenarios"`
	// Total counts the scenarios, of which some were tried more than once: the
	// last try counts, and every one has its row.
	Total int `json:"total"`
	// Detected are the scenarios whose checks went red, Named those whose cause
	// was the top finding, Healed those after which the checks passed again, and
	// Clean those of which all that and nothing unlisted red can be said.
	Detected int `json:"detected"`
	Named    int `json:"named"`
	Healed   int `json:"healed"`
	Clean    int `json:"clean"`
	// Narrow are those of which only the checks they name were looked at.
	Narrow int `json:"narrow"`
	// Confusion counts for each expected cause what was named, "nothing" where
	// nothing was.
	Confusion map[diagnosis.Code]map[string]int `json:"confusion"`
}

// Score makes a scoreboard of outcomes, in the order of the tries.
func Score(started time.Time, outcomes []Outcome) Scoreboard {
	b := Scoreboard{Started: started, Scenarios: outcomes, Confusion: map[diagnosis.Code]map[string]int{}}
	last := map[string]int{}
	for i, o := range outcomes {
		last[o.Scenario] = i
	}
	b.Total = len(last)
	for i, o := range outcomes {
		if last[o.Scenario] != i {
			continue
		}
		if o.AllRed > 0 {
			b.Detected++
		}
		if o.Named == o.Expects {
			b.Named++
		}
		if o.Healed {
			b.Healed++
		}
		if o.Problem == "" {
			b.Clean++
		}
		if o.Narrow {
			b.Narrow++
		}
		if b.Confusion[o.Expects] == nil {
			b.Confusion[o.Expects] = map[string]int{}
		}
		b.Confusion[o.Expects][named(o)]++
	}
	return b
}

func named(o Outcome) string {
	if o.Named == "" {
		return "nothing"
	}
	return string(o.Named)
}

// Markdown is the scoreboard for people.
func (b Scoreboard) Markdown() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d scenarios: %d detected, %d named, %d healed; %d without any objection\n\n", b.Total, b.Detected, b.Named, b.Healed, b.Clean)
	if b.Narrow > 0 {
		fmt.Fprintf(&text, "For want of time only the checks that they name were looked at in %d of them.\n\n", b.Narrow)
	}
	text.WriteString("| scenario | expected | named | confidence | first red | all red | evidence | healed | took |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, o := range b.Scenarios {
		verdict := named(o)
		if o.Named == o.Expects {
			verdict = "the same"
		}
		healed := "no"
		if o.Healed {
			healed = "yes"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %.2f | %s | %s | %d of %d | %s | %s |\n",
			o.Scenario, o.Expects, verdict, o.Confidence, inSeconds(o.FirstRed), inSeconds(o.AllRed), o.Steps, o.StepsTotal, healed, inSeconds(o.Took))
	}
	text.WriteString("\nConfusion: every expected cause was named itself")
	wrong := 0
	for _, o := range b.Scenarios {
		if o.Named != o.Expects {
			if wrong++; wrong == 1 {
				text.WriteString(", but for\n\n| expected | named | scenario |\n|---|---|---|\n")
			}
			fmt.Fprintf(&text, "| %s | %s | %s |\n", o.Expects, named(o), o.Scenario)
		}
	}
	if wrong == 0 {
		text.WriteString(".\n")
	}
	problems := slices.DeleteFunc(slices.Clone(b.Scenarios), func(o Outcome) bool { return o.Problem == "" })
	if len(problems) > 0 {
		text.WriteString("\nObjections:\n\n")
	}
	for _, o := range problems {
		fmt.Fprintf(&text, "- %s: %s\n", o.Scenario, strings.ReplaceAll(o.Problem, "\n", "; "))
	}
	return text.String()
}

func inSeconds(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
