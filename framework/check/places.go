// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"sync"
)

// places bound how many checks run at once; urgent ones get a place first.
// It is safe for concurrent use.
type places struct {
	mu             sync.Mutex
	free           int
	urgent, others []chan struct{} // who waits, first come first; closed when it is their turn
}

// take waits for a place; give must follow unless ctx ended first.
func (p *places) take(ctx context.Context, urgent bool) error {
	p.mu.Lock()
	if p.free > 0 {
		p.free--
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if urgent {
		p.urgent = append(p.urgent, turn)
	} else {
		p.others = append(p.others, turn)
	}
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		// It may be its turn by now, or some day: the place goes to the next.
		go func() { <-turn; p.give() }()
		return context.Cause(ctx)
	}
}

// give returns a place.
func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&p.urgent, &p.others} {
		if len(*queue) > 0 {
			close((*queue)[0])
			*queue = (*queue)[1:]
			return
		}
	}
	p.free++
}
