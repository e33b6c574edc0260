// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/evidence"
	"github.com/cniproof/cniproof/framework/scenario"
)

// steps writes one row per documented step, the kind of evidence named on the
// first of each.
func steps(out io.Writer, steps []evidence.DocumentedStep) error {
	rows := []string{"| evidence | command | file in the bundle |", "|---|---|---|"}
	last := ""
	for _, s := range steps {
		title := s.Title
		if s.Collector == last {
			title = ""
		}
		last = s.Collector
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |", text(title), code(s.Command), code(s.Yields)))
	}
	_, err := fmt.Fprintln(out, strings.Join(rows, "\n"))
	return err
}

// checks writes one row per check, by area.
func checks(out io.Writer, list []check.Check) error {
	rows := []string{"| check | claim | level | requires |", "|---|---|---|---|"}
	for _, area := range check.Areas {
		for _, c := range list {
			if c.Area() != area {
				continue
			}
			var requires []string
			for _, id := range slices.Sorted(slices.Values(c.Requires)) {
				requires = append(requires, code(id))
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", code(c.ID), text(c.Title), c.Level, strings.Join(requires, ", ")))
		}
	}
	_, err := fmt.Fprintln(out, strings.Join(rows, "\n"))
	return err
}

// scenarios writes one row per scenario.
func scenarios(out io.Writer, list []scenario.Scenario) error {
	rows := []string{"| scenario | what happens | named cause | goes red |", "|---|---|---|---|"}
	for _, s := range list {
		var breaks []string
		for _, id := range s.Breaks {
			breaks = append(breaks, code(id))
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", code(s.Name), text(s.Title), code(string(s.Expects)), strings.Join(breaks, ", ")))
	}
	_, err := fmt.Fprintln(out, strings.Join(rows, "\n"))
	return err
}

// text is s in a Markdown table: a placeholder like <node> is not HTML, a bar
// does not end the cell.
func text(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s)
}

// code is s as code in a Markdown table, where GitHub's tables want even a bar
// in code escaped.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) + "`"
}
