// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"time"
)

// pollInterval is the time between two looks at what is waited for.
const pollInterval = 300 * time.Millisecond

// poll calls look until it returns nil or ctx ends, and then says what look
// said last.
func poll(ctx context.Context, look func(context.Context) error) error {
	start := time.Now()
	var last error
	for tries := 1; ; tries++ {
		err := look(ctx)
		if err == nil {
			return nil
		}
		// A look that was cut short says less than the one before it.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %d tries in %.1fs (%w): %w", tries, time.Since(start).Seconds(), context.Cause(ctx), last)
		case <-time.After(pollInterval):
		}
	}
}
