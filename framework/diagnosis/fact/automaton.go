// SPDX-License-Identifier: Apache-2.0

package fact

// automaton finds which of many literals occur in a text in one pass over it
// (Aho and Corasick, 1975), ignoring ASCII case.
type automaton struct {
	// class maps a byte to its column; bytes that no literal has share column 0.
	class   [256]uint8
	columns int
	// next is the transition table, one row of columns per state.
	next []int32
	// found lists, per state, the literals that end there.
	found [][]int32
}

// newAutomaton takes lower-case literals; find reports their indices.
func newAutomaton(literals []string) *automaton {
	a := &automaton{columns: 1}
	for _, l := range literals {
		for i := 0; i < len(l); i++ {
			if a.class[l[i]] == 0 {
				a.class[l[i]] = uint8(a.columns)
				a.columns++
			}
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		a.class[c] = a.class[c-'A'+'a']
	}
	a.addState()
	for i, l := range literals {
		state := int32(0)
		for j := 0; j < len(l); j++ {
			at := int(state)*a.columns + int(a.class[l[j]])
			if a.next[at] == 0 {
				a.next[at] = a.addState()
			}
			state = a.next[at]
		}
		a.found[state] = append(a.found[state], int32(i))
	}
	a.link()
	return a
}

func (a *automaton) addState() int32 {
	a.next = append(a.next, make([]int32, a.columns)...)
	a.found = append(a.found, nil)
	return int32(len(a.found) - 1)
}

// link turns the trie into an automaton: breadth first, every missing
// transition becomes that of the longest proper suffix.
func (a *automaton) link() {
	fail := make([]int32, len(a.found))
	queue := make([]int32, 0, len(a.found))
	for c := 0; c < a.columns; c++ {
		if s := a.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		a.found[state] = append(a.found[state], a.found[fail[state]]...)
		for c := 0; c < a.columns; c++ {
			at := int(state)*a.columns + c
			suffix := a.next[int(fail[state])*a.columns+c]
			if a.next[at] == 0 {
				a.next[at] = suffix
				continue
			}
			fail[a.next[at]] = suffix
			queue = append(queue, a.next[at])
		}
	}
}

// find calls report with the index of every literal in text, once per
// occurrence.
func (a *automaton) find(text string, report func(int32)) {
	state := int32(0)
	for i := 0; i < len(text); i++ {
		state = a.next[int(state)*a.columns+int(a.class[text[i]])]
		for _, l := range a.found[state] {
			report(l)
		}
	}
}
