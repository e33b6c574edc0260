// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/check"
)

// outcomes in the order in which people want to hear of them.
var outcomes = []check.Outcome{check.Failed, check.Unknown, Skipped, check.Passed, check.NotApplied}

// tally is the counts in words, e.g. "1 failed, 3 inconclusive, 20 passed".
func tally(v Verdict) string {
	var parts []string
	for _, o := range outcomes {
		if n := v.Counts[string(o)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words(o)))
		}
	}
	if len(parts) == 0 {
		return "no checks"
	}
	return strings.Join(parts, ", ")
}

// words is an outcome as people say it.
func words(o check.Outcome) string { return strings.ReplaceAll(string(o), "-", " ") }

// took is a duration as people say it.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	default:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
}

// size is a number of bytes as people say it.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}

// amount is a figure with its unit, without digits that mean nothing.
func amount(value float64, unit string) string {
	digits := 0
	if math.Abs(value) < 10 && value != math.Trunc(value) {
		digits = 2
	}
	s := strconv.FormatFloat(value, 'f', digits, 64)
	switch unit {
	case "count", "":
		return s
	case "percent":
		return s + " %"
	}
	return s + " " + unit
}

// some lists at most n of list and says how many are left out.
func some(list []string, n int) string {
	if len(list) <= n+1 { // "and 1 more" is no shorter than the one
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:n], ", ") + fmt.Sprintf(" and %d more", len(list)-n)
}

// where names the nodes on which res has its outcome; empty when that is not
// a matter of nodes.
func where(res check.Result) []string {
	if !res.PerNode() {
		return nil
	}
	var nodes []string
	for _, n := range res.Nodes {
		if n.Outcome == res.Outcome && !slices.Contains(nodes, n.Node) {
			nodes = append(nodes, n.Node)
		}
	}
	return nodes
}

// sureness is a confidence in words for people who do not read decimals.
func sureness(confidence float64) string {
	switch {
	case confidence > 0.8:
		return "the evidence says so"
	case confidence >= 0.5:
		return "likely"
	default:
		return "possible"
	}
}
