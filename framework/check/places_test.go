// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &places{free: 1}
		_ = p.take(t.Context(), false)
		var order []string
		ctx, cancel := context.WithCancel(t.Context())
		for _, who := range []struct {
			name   string
			urgent bool
			ctx    context.Context
		}{{"first", false, t.Context()}, {"gave up", true, ctx}, {"second", false, t.Context()}, {"urgent", true, t.Context()}} {
			go func() {
				if p.take(who.ctx, who.urgent) == nil {
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
		if wanted := []string{"urgent", "first", "second"}; len(order) != 3 || order[0] != wanted[0] || order[1] != wanted[1] || order[2] != wanted[2] {
			t.Errorf("wanted %v, observed %v", wanted, order)
		}
		if p.free != 1 {
			t.Errorf("wanted the place free again, observed %d", p.free)
		}
	})
}
