// SPDX-License-Identifier: Apache-2.0

// Command diagnose names the probable cause of a pod network's failure from
// evidence: a bundle, what `kind export logs` wrote, any log files, or text on
// standard input. It works offline and asks no cluster.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/cniproof/cniproof/framework/diagnosis"
)

const usage = `usage: diagnose [-json] PATH...
       diagnose -json -batch < excerpts.jsonl

Names the probable cause of a pod network's failure from evidence. A PATH is
  a bundle, or any folder of logs (what kind export logs wrote, say)
  a log file, also gzipped
  -   standard input:  journalctl -u kubelet | diagnose -
                       kubectl describe pod x | diagnose -
All paths together are one piece of evidence.

`

const exitCodes = `
Exit codes:
  0  the evidence was read: a cause is named, it is UNKNOWN, or nothing is wrong
  1  nothing could be read (missing, empty, binary), or a line of -batch was not as expected
  2  wrong usage
`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit codes, as the usage text tells them.
const (
	exitRead = iota
	exitUnreadable
	exitUsage
)

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("diagnose", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print one JSON object: findings, best first, and unknown")
	batch := flags.Bool("batch", false, `with -json: read lines {"id":..., "text":...} from standard input and answer one line each`)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
		fmt.Fprint(stderr, exitCodes)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitRead
	case err != nil:
		return exitUsage
	}
	if *batch {
		if !*asJSON || flags.NArg() > 0 {
			fmt.Fprintln(stderr, "diagnose: -batch needs -json and takes no paths: it reads standard input")
			return exitUsage
		}
		if err := answer(stdin, stdout); err != nil {
			fmt.Fprintln(stderr, "diagnose:", err)
			return exitUnreadable
		}
		return exitRead
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(stderr, "diagnose: no path given; pass a folder, files, or - for standard input (-h explains)")
		return exitUsage
	}
	return one(flags.Args(), *asJSON, stdin, output{stdout, stderr})
}

type output struct{ out, err io.Writer }

// one diagnoses all paths as one piece of evidence.
func one(paths []string, asJSON bool, stdin io.Reader, to output) int {
	files, err := open(paths, stdin)
	if err != nil {
		fmt.Fprintln(to.err, "diagnose:", err)
	}
	if len(files) == 0 {
		return exitUnreadable
	}
	report := diagnosis.Diagnose(diagnosis.Source{Files: files})
	for _, skipped := range report.Skipped {
		fmt.Fprintln(to.err, "diagnose: not read:", skipped)
	}
	if len(report.Skipped) >= len(files) {
		return exitUnreadable
	}
	if asJSON {
		err = writeJSON(to.out, report)
	} else {
		_, err = io.WriteString(to.out, text(report))
	}
	if err != nil {
		fmt.Fprintln(to.err, "diagnose: write the report:", err)
		return exitUnreadable
	}
	return exitRead
}

func writeJSON(w io.Writer, report diagnosis.Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(report)
}
