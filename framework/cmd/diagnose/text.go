// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis"
)

// widest is how much of a quoted line is shown.
const widest = 240

// text is the report for a person: the best finding in full, the others short.
func text(r diagnosis.Report) string {
	var b strings.Builder
	switch {
	case len(r.Findings) > 0:
		finding(&b, r.Findings[0])
		if len(r.Findings) > 1 {
			b.WriteString("\nalso found, less likely the cause:\n")
			for _, f := range r.Findings[1:] {
				fmt.Fprintf(&b, "  %-26s %3.0f %%  %s\n", f.Code, 100*f.Confidence, f.Title)
				if len(f.Evidence) > 0 {
					fmt.Fprintf(&b, "  %-26s        %s:%d\n", "", f.Evidence[0].File, f.Evidence[0].Line)
				}
			}
		}
	case r.Unknown != nil:
		unknown(&b, *r.Unknown)
	default:
		b.WriteString("nothing wrong found\n")
	}
	return b.String()
}

func finding(b *strings.Builder, f diagnosis.Finding) {
	fmt.Fprintf(b, "%s (%.0f %%)\n%s\n", f.Code, 100*f.Confidence, f.Title)
	if f.Hint != "" {
		fmt.Fprintf(b, "\n%s\n", f.Hint)
	}
	if len(f.Evidence) > 0 {
		b.WriteString("\nwhat says so:\n")
		quotes(b, f.Evidence)
	}
	list(b, "what to do:", f.Fix)
	if f.Refutes != "" {
		list(b, "what would refute it:", []string{f.Refutes})
	}
	if f.Step != "" {
		list(b, "found in:", []string{f.Step})
	}
	if len(f.Explains) > 0 {
		var codes []string
		for _, c := range f.Explains {
			codes = append(codes, string(c))
		}
		list(b, "explains these too:", []string{strings.Join(codes, ", ")})
	}
}

func unknown(b *strings.Builder, u diagnosis.Unknown) {
	fmt.Fprintf(b, "%s\nthe evidence does not decide\n", u.Code)
	if len(u.Symptoms) > 0 {
		b.WriteString("\nwhat is wrong:\n")
		quotes(b, u.Symptoms)
	}
	for _, c := range u.Clues {
		fmt.Fprintf(b, "\nworth a look: %s\n", c.Title)
		quotes(b, c.Evidence)
		list(b, "what to do:", []string{c.Next})
	}
	var out []string
	for _, r := range u.RuledOut {
		out = append(out, fmt.Sprintf("%-26s %s", r.Code, r.Why))
	}
	list(b, "ruled out:", out)
	list(b, "what would tell more:", u.CollectNext)
}

func quotes(b *strings.Builder, all []diagnosis.Quote) {
	for _, q := range all {
		line := q.Text
		if len(line) > widest {
			line = strings.ToValidUTF8(line[:widest], "") + " ..."
		}
		fmt.Fprintf(b, "  %s:%d\n    %s\n", q.File, q.Line, line)
	}
}

func list(b *strings.Builder, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", heading)
	for _, line := range lines {
		fmt.Fprintf(b, "  %s\n", line)
	}
}
