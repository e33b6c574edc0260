// SPDX-License-Identifier: Apache-2.0

// Command report tells again what a run found, and prints the tables of the
// README from what the program really does:
//
//	report show DIR     the summary of the run whose report.json is in DIR
//	report render DIR   write the other reports in DIR anew from report.json
//	report steps        the evidence steps, as a Markdown table
//	report checks       the checks, as a Markdown table
//	report scenarios    the scenarios, as a Markdown table
//	report readme FILE  write these tables anew into FILE, between the lines
//	                    <!-- checks --> and <!-- /checks --> and their like
//
// It asks no cluster and judges nothing that the run did not.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/evidence"
	"github.com/cniproof/cniproof/framework/report"

	"github.com/cniproof/cniproof/framework/scenario"

	_ "github.com/cniproof/cniproof/scenarios" // registers the scenarios
	_ "github.com/cniproof/cniproof/suites"    // registers the checks
)

const usage = "usage: report show DIR | report render DIR | report steps | report checks | report scenarios | report readme FILE"

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "show":
		run, err := report.Read(args[1])
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, report.Summary(run))
		return err
	case len(args) == 2 && args[0] == "render":
		run, err := report.Read(args[1])
		if err != nil {
			return err
		}
		return report.Write(args[1], run)
	case len(args) == 2 && args[0] == "readme":
		return readme(args[1])
	case len(args) == 1 && args[0] == "scenarios":
		return scenarios(out, scenario.All())
	case len(args) == 1 && args[0] == "steps":
		return steps(out, evidence.Steps())
	case len(args) == 1 && args[0] == "checks":
		return checks(out, check.Default.Checks())
	}
	return fmt.Errorf("no such command: %q; %s", args, usage)
}
