// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	"time"
)

// Limits bound what a bundle holds. A zero field means its default.
type Limits struct {
	// Item is the largest file, in bytes; of what is larger the head and the
	// tail are kept.
	Item int64
	// Bundle is the most that one failure's files may have together, in bytes.
	Bundle int64
	// Run is the most that the bundles of a run may have together, in bytes:
	// those in the same parent directory with the same run ID. A bundle gets
	// at most a quarter of what is left, so that a late failure still has
	// evidence. Processes that collect at the same time may exceed it by a
	// bundle.
	Run int64
	// Margin is how long before Subject.Since the window of logs begins: the
	// cause is older than the failure.
	Margin time.Duration
}

// DefaultLimits suit an upload as a CI artifact.
func DefaultLimits() Limits {
	return Limits{Item: 2 << 20, Bundle: 12 << 20, Run: 50 << 20, Margin: 5 * time.Minute}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	return Limits{
		Item: cmp.Or(l.Item, d.Item), Bundle: cmp.Or(l.Bundle, d.Bundle), Run: cmp.Or(l.Run, d.Run),
		Margin: cmp.Or(l.Margin, d.Margin),
	}
}
