// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"

	"github.com/cniproof/cniproof/framework/check"
)

// release begins to remove the run's pods when no check is left that needs them, and
// all is well: the cluster takes five seconds to begin, in which the others run.
// Evidence of a failure has to find what failed.
func (s *Suite) release(ctx context.Context) {
	for _, c := range s.selected() {
		if !c.NeedsFixtures() {
			continue
		}
		r, err := s.round.Check(ctx, c.ID)
		if err != nil || ctx.Err() != nil || r.Outcome != check.Passed && r.Outcome != check.NotApplied {
			return
		}
	}
	s.session.Release()
}
