// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"flag"
	"io"
	"testing"
)

func TestSettle(t *testing.T) {
	for name, c := range map[string]struct {
		args      []string
		artifacts string
		strict    bool
		problem   bool
	}{
		"plain":                              {args: []string{"-artifacts", "out", "-strict"}, artifacts: "out", strict: true},
		"swallowed by the go command":        {args: []string{"-test.artifacts=true", "out", "-strict"}, artifacts: "out", strict: true},
		"the go command's own flag":          {args: []string{"-test.artifacts=true", "-strict"}, strict: true},
		"an argument that is no flag":        {args: []string{"strict"}, problem: true},
		"and one after a swallowed flag":     {args: []string{"-test.artifacts=true", "out", "strict"}, problem: true},
		"and a wrong flag after a swallowed": {args: []string{"-test.artifacts=true", "out", "-stricct"}, problem: true},
	} {
		t.Run(name, func(t *testing.T) {
			fs := flag.NewFlagSet("test", flag.ContinueOnError)
			fs.SetOutput(io.Discard)
			fs.Bool("test.artifacts", false, "")
			o := Register(fs)
			if err := fs.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			err := o.Settle(fs)
			var problem *Problem
			if errors.As(err, &problem) != c.problem {
				t.Fatalf("Settle: %v, want a problem: %t", err, c.problem)
			}
			if err == nil && (o.Artifacts != c.artifacts || o.Strict != c.strict) {
				t.Errorf("artifacts %q, strict %t, want %q, %t", o.Artifacts, o.Strict, c.artifacts, c.strict)
			}
		})
	}
}
