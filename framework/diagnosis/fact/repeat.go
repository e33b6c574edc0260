// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"hash/maphash"
	"slices"
)

// repeats makes long logs quick to read: most of their lines differ in times,
// identifiers and counters alone. The first lines of a shape are looked at, of
// the others only the last, as rules want to know since when and until when
// something was said.
type repeats struct {
	seed   maphash.Seed
	shapes map[uint64]*shape
}

// shape is what lines have in common once what counts up is left out.
type shape struct {
	seen int
	// said tells that one of the lines looked at had a wording.
	said bool
	// last is the last line not looked at, number 0 when there is none.
	last   string
	number int
	at     rowPlace
}

const (
	// lookedAt is how many lines of a shape are looked at.
	lookedAt = keptFirst
	// mostShapes bounds memory; lines of further shapes are all looked at.
	mostShapes = 1 << 15
	// stampedHead is how far into a line times and process numbers reach.
	stampedHead = 100
	// identifier is from how many digits on a number is an identifier or a
	// fraction of a second, and no port or code that a wording may ask for.
	identifier = 5
)

func newRepeats() *repeats {
	return &repeats{seed: maphash.MakeSeed(), shapes: map[uint64]*shape{}}
}

// skip tells whether a line need not be looked at, and keeps it if it is the
// last of its shape so far. The shape is nil when there are too many.
func (r *repeats) skip(number int, line string, at rowPlace) (*shape, bool) {
	key := r.key(line)
	s := r.shapes[key]
	if s == nil {
		if len(r.shapes) == mostShapes {
			return nil, false
		}
		s = &shape{}
		r.shapes[key] = s
	}
	s.seen++
	if s.seen <= lookedAt {
		return s, false
	}
	if s.said {
		s.last, s.number, s.at = line, number, at
	}
	return s, true
}

// key hashes a line without its times and identifiers.
func (r *repeats) key(line string) uint64 {
	var hash maphash.Hash
	hash.SetSeed(r.seed)
	from := 0
	for i := 0; i < len(line); {
		if !digit(line[i]) {
			i++
			continue
		}
		end := i
		for end < len(line) && (digit(line[end]) || line[end] >= 'a' && line[end] <= 'f') {
			end++
		}
		if i < stampedHead || end-i >= identifier {
			hash.WriteString(line[from:i])
			hash.WriteByte('0')
			from = end
		}
		i = end
	}
	hash.WriteString(line[from:])
	return hash.Sum64()
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// rest returns the last lines of the shapes that said something, in order.
func (r *repeats) rest() []*shape {
	var rest []*shape
	for _, s := range r.shapes {
		if s.number > 0 {
			rest = append(rest, s)
		}
	}
	slices.SortFunc(rest, func(a, b *shape) int { return a.number - b.number })
	return rest
}
