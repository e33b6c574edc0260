// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
)

// sections are the generated parts of the README, each a command of its own.
var sections = []string{"checks", "steps", "scenarios"}

// readme writes the tables of the program into the file.
func readme(file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	now, err := filled(string(old))
	if err != nil {
		return fmt.Errorf("fill the tables of %s: %w", file, err)
	}
	if now == string(old) {
		return nil
	}
	return os.WriteFile(file, []byte(now), 0o644)
}

// filled is the document with every generated part as it should be.
func filled(document string) (string, error) {
	for _, section := range sections {
		begin, end := "<!-- "+section+" -->\n", "<!-- /"+section+" -->"
		before, rest, ok := strings.Cut(document, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			return "", fmt.Errorf("wanted the lines %q and %q around a table, observed none", strings.TrimSpace(begin), end)
		}
		var table strings.Builder
		if err := run([]string{section}, &table); err != nil {
			return "", err
		}
		document = before + begin + table.String() + end + after
	}
	return document, nil
}
