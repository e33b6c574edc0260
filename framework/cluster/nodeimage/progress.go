// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// heartbeat is how long a step may be silent.
const heartbeat = 30 * time.Second

// progress writes one line per step with the time since the start, and one per
// heartbeat while a step lasts. Safe for concurrent use.
type progress struct {
	start time.Time
	mu    sync.Mutex
	w     io.Writer
}

func newProgress(w io.Writer) *progress {
	if w == nil {
		w = io.Discard
	}
	return &progress{start: time.Now(), w: w}
}

func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "[%5s] %s\n", clock(time.Since(p.start)), fmt.Sprintf(format, args...))
}

// step runs do and says how long it took.
func (p *progress) step(ctx context.Context, what string, do func(context.Context) error) error {
	return p.watched(ctx, what, func() string { return "" }, do)
}

// watched is step with a detail, asked for at each heartbeat, of how far do is.
func (p *progress) watched(ctx context.Context, what string, detail func() string, do func(context.Context) error) error {
	start := time.Now()
	done := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		ticker := time.NewTicker(heartbeat)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.say("%s: %s so far%s", what, clock(time.Since(start)), detail())
			case <-done:
				return
			}
		}
	})
	err := do(ctx)
	close(done)
	beating.Wait()
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	p.say("%s: %s in %s", what, outcome, clock(time.Since(start)))
	return err
}

// clock prints a duration as minutes and seconds, "2:05".
func clock(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}
