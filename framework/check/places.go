// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"sync"
)

// turn says who gets a place before others.
type turn int

const (
	urgent turn = iota // takes longest
	usual
	last // can run when the probes are gone already
	turns
)

// places bound how many checks run at once. It is safe for concurrent use.
type places struct {
	mu   sync.Mutex
	free int
	// queues are who waits, by turn, first come first; closed when they have a place.
	queues [turns][]chan struct{}
}

// take waits for a place; give must follow unless ctx ended first.
func (p *places) take(ctx context.Context, t turn) error {
	p.mu.Lock()
	if p.free > 0 {
		p.free--
		p.mu.Unlock()
		return nil
	}
	place := make(chan struct{})
	p.queues[t] = append(p.queues[t], place)
	p.mu.Unlock()
	select {
	case <-place:
		return nil
	case <-ctx.Done():
		// It may be its turn by now, or some day: the place goes to the next.
		go func() { <-place; p.give() }()
		return context.Cause(ctx)
	}
}

// give returns a place.
func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t, queue := range p.queues {
		if len(queue) > 0 {
			close(queue[0])
			p.queues[t] = queue[1:]
			return
		}
	}
	p.free++
}
