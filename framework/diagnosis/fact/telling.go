// SPDX-License-Identifier: Apache-2.0

package fact

import "sync"

// Telling returns a function that tells whether a line says any of the wordings
// that rules look for. It is for one goroutine; the rules' package has to be
// linked in, since they register what they look for.
func Telling() func(line string) bool {
	search := sync.OnceValue(func() *search { return theScanner().search() })
	return func(line string) bool {
		hits, _ := search().find(line)
		return len(hits) > 0
	}
}
