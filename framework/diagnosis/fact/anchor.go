// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp/syntax"
	"strings"
)

// shortestAnchor is the fewest bytes worth looking for: shorter ones occur in
// nearly every line and would make the scan pointless.
const shortestAnchor = 3

// anchors returns lower-case literals of which every match of re contains at
// least one, or nil when the expression promises none long enough. They let a
// scan of gigabytes try an expression only on lines where it can match.
func anchors(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		literal := strings.ToLower(string(re.Rune))
		if len(literal) < shortestAnchor {
			return nil
		}
		return []string{literal}
	case syntax.OpCapture, syntax.OpPlus:
		return anchors(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return anchors(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if found := anchors(sub); shortest(found) > shortest(best) {
				best = found
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			found := anchors(sub)
			if found == nil {
				return nil
			}
			all = append(all, found...)
		}
		return all
	}
	return nil
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
