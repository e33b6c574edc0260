// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp/syntax"
	"strings"
	"testing"
)

func TestQuotingIsUndone(t *testing.T) {
	for in, wanted := range map[string]string{
		`err="say \\\"cni0\\\" twice"`: `err="say "cni0" twice"`, `a\nb\tc`: "a b c", "\u201ccni0\u201d \u2019": `"cni0" '`,
		"&quot;x&quot; &lt;": `"x" <`, "keep C:\\dir": "keep C:\\dir", "wrapped \\\nline": "wrapped \nline",
	} {
		if got := clean(in); got != wanted {
			t.Errorf("clean(%q) is %q, wanted %q", in, got, wanted)
		}
	}
}

func TestAnchorsHoldInEveryMatch(t *testing.T) {
	for expression, texts := range map[string][]string{
		`no (?:network|networks) found in (?P<dir>\S+)`: {"no network found in /x", "no  networks found in /x"},
		`(?:foo|foobar|qux) baz+`:                       {"foo baz", "qux bazz"},
		`a{2}(?:long|short)?tail`:                       {"aatail", "aalongtail"},
	} {
		tree, err := syntax.Parse("(?i)"+spaces(expression), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			for _, group := range anchors(tree) {
				held := false
				for _, literal := range group {
					held = held || strings.Contains(text, literal)
				}
				if !held {
					t.Errorf("%s: %q has none of %v", expression, text, group)
				}
			}
		}
	}
}

func TestAutomatonFindsAllLiterals(t *testing.T) {
	literals := []string{"he", "she", "hers", "his", "cni"}
	a := newAutomaton(literals)
	found := map[string]int{}
	a.find("usHERS and His cniCNI", func(i int32) { found[literals[i]]++ })
	for literal, wanted := range map[string]int{"he": 1, "she": 1, "hers": 1, "his": 1, "cni": 2} {
		if found[literal] != wanted {
			t.Errorf("%s: found %d times, wanted %d", literal, found[literal], wanted)
		}
	}
}

// TestScanFindsWhatExpressionsFind compares the scan with trying every phrase
// on every line.
func TestScanFindsWhatExpressionsFind(t *testing.T) {
	lines := []string{"THE BRIDGE x is gone", `"the bridge \"y\" is gone"`, "the  bridge\tz is gone", "nothing", ""}
	s := theScanner().search()
	for _, line := range lines {
		hits, _ := s.find(line)
		scanned := has(hits, testWording)
		if tried := testWording.In(clean(line)); scanned != tried {
			t.Errorf("%q: the scan says %t, the expression %t", line, scanned, tried)
		}
	}
}

func TestRepeatsLookAtTheFirstAndTheLast(t *testing.T) {
	r := newRepeats()
	looked := 0
	for i, line := range []string{"x 12345 a", "x 23456 a", "x 99999 a", "x 1 b", "x 11111 a", "x 22222 a", "x 33333 a"} {
		shape, skip := r.skip(i+1, line, rowPlace{})
		if !skip {
			looked++
			shape.said = true
		}
	}
	rest := r.rest()
	if looked != 1+lookedAt || len(rest) != 1 || rest[0].number != 7 {
		t.Errorf("looked at %d, rest %+v", looked, rest)
	}
}
