// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &places{free: 1}
		_ = p.take(t.Context(), usual)
		var order []string
		ctx, cancel := context.WithCancel(t.Context())
		for _, who := range []struct {
			name string
			turn turn
			ctx  context.Context
		}{{"last", last, t.Context()}, {"first", usual, t.Context()}, {"gave up", urgent, ctx}, {"second", usual, t.Context()}, {"urgent", urgent, t.Context()}} {
			go func() {
				if p.take(who.ctx, who.turn) == nil {
					order = append(order, who.name)
					p.give()
				}
			}()
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		p.give()
		synctest.Wait()
		if wanted := []string{"urgent", "first", "second", "last"}; !slices.Equal(order, wanted) {
			t.Errorf("wanted %v, observed %v", wanted, order)
		}
		if p.free != 1 {
			t.Errorf("wanted the place free again, observed %d", p.free)
		}
	})
}
