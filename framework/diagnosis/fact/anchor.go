// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp/syntax"
	"strings"
)

// shortestAnchor is the fewest bytes worth looking for: shorter ones occur in
// nearly every line and would make the scan pointless.
const shortestAnchor = 3

// anchors returns what every match of re contains: for each group at least one
// of its lower-case literals. Groups without a literal long enough are left
// out. They let a scan of gigabytes try an expression only on lines where it
// can match.
func anchors(re *syntax.Regexp) [][]string {
	switch re.Op {
	case syntax.OpLiteral:
		var all [][]string
		for _, literal := range strings.FieldsFunc(strings.ToLower(string(re.Rune)), rewritten) {
			if len(literal) >= shortestAnchor {
				all = append(all, []string{literal})
			}
		}
		return all
	case syntax.OpCapture, syntax.OpPlus:
		return anchors(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return anchors(re.Sub[0])
		}
	case syntax.OpConcat:
		var all [][]string
		for _, sub := range re.Sub {
			all = append(all, anchors(sub)...)
		}
		return all
	case syntax.OpAlternate:
		var either []string
		for _, sub := range re.Sub {
			found := rarest(anchors(sub))
			if found == nil {
				return nil
			}
			either = append(either, found...)
		}
		return [][]string{either}
	}
	return nil
}

// rewritten are characters that a text may have in another form until it is
// cleaned: the scan for anchors comes before.
func rewritten(r rune) bool { return strings.ContainsRune("\"'\\&<>", r) }

// rarest returns the group whose shortest literal is the longest, as a guess at
// the one that fewest texts have.
func rarest(groups [][]string) []string {
	var best []string
	for _, g := range groups {
		if shortest(g) > shortest(best) {
			best = g
		}
	}
	return best
}

func shortest(literals []string) int {
	if len(literals) == 0 {
		return 0
	}
	n := len(literals[0])
	for _, l := range literals[1:] {
		n = min(n, len(l))
	}
	return n
}
