// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"fmt"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// Rule names one cause. A rule is one value in the file of its family,
// registered with Register from that file.
type Rule struct {
	Code Code
	// Title is what a finding says unless Match says it better.
	Title string
	// Hint teaches in one sentence how the cause comes about.
	Hint string
	// Suppresses are causes whose signs are consequences of this one where both
	// are found on the same nodes.
	Suppresses []Code
	// Fix is commands; <node> stands for the finding's nodes.
	Fix []string
	// Refutes is what would show that this is not the cause.
	Refutes string
	// Looks are the sorts of evidence that would show it: where all of them were
	// read and it was not found, it is ruled out.
	Looks []fact.Sort
	// Match is a pure function. It fills what it knows better than the rule;
	// the rest of a finding comes from the rule.
	Match func(f *fact.Facts) []Finding
}

var rules []Rule

// Register makes a rule known and returns it. It panics on a rule that cannot
// work, which is a mistake of the program.
func Register(r Rule) Rule {
	if r.Code == "" || r.Title == "" || r.Match == nil {
		panic(fmt.Sprintf("register rule %q: it needs a code, a title and a match", r.Code))
	}
	rules = append(rules, r)
	return r
}

// Rules are the registered ones.
func Rules() []Rule { return append([]Rule(nil), rules...) }

// suppresses tells whether a cause explains another.
func suppresses(cause, symptom Code) bool {
	for _, r := range rules {
		if r.Code != cause {
			continue
		}
		for _, c := range r.Suppresses {
			if c == symptom {
				return true
			}
		}
	}
	return false
}
