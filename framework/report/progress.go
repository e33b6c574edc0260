// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cniproof/cniproof/framework/check"
)

// Progress tells people who watch what runs, how many of how many have ended,
// and for how long it has been going on. On a terminal that is one line,
// rewritten in place, below the lines written to it; elsewhere it is a plain
// line for each check that ended. It is safe for concurrent use.
type Progress struct {
	out   io.Writer
	on    surface
	total int
	begun time.Time
	now   func() time.Time

	mu            sync.Mutex
	running       []string
	ended, failed int
	// partial is a line written so far without its end.
	partial []byte
	drawn   bool
	quit    chan struct{}
}

// redraw is how often the line of a terminal is drawn anew.
const redraw = 500 * time.Millisecond

// The line is not wrapped where it is longer than the terminal is wide: a
// second row would not be erased. Erasing is what goes before any other line.
const (
	noWrap = "\r\x1b[?7l"
	wrap   = "\x1b[K\x1b[?7h"
	erase  = "\r\x1b[K"
)

// NewProgress tells of total checks to out: os.Stderr, or what stands for it.
// The test binary has the terminal only where go test was given no package, as
// in go test -C suites; else go test hands it a pipe. Close it at the end.
func NewProgress(out io.Writer, total int) *Progress {
	return newProgress(out, total, surfaceOf(out))
}

func newProgress(out io.Writer, total int, on surface) *Progress {
	p := &Progress{out: out, on: on, total: total, begun: time.Now(), now: time.Now, quit: make(chan struct{})}
	if on == terminal {
		go p.tick()
	}
	return p
}

// surface is what can be written to: lines only, or a terminal, whose last line
// can be rewritten.
type surface int

const (
	plain surface = iota
	terminal
)

// surfaceOf looks at w. The null device passes for a terminal, and does not mind.
func surfaceOf(w io.Writer) surface {
	f, ok := w.(*os.File)
	if term := os.Getenv("TERM"); !ok || term == "" || term == "dumb" {
		return plain
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return plain
	}
	return terminal
}

func (p *Progress) tick() {
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// Started says that c runs; it fits check.RunnerOptions.
func (p *Progress) Started(c check.Check) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, c.ID)
	p.draw()
}

// Ended says what came of a check; it fits check.RunnerOptions.
func (p *Progress) Ended(res check.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = slices.DeleteFunc(p.running, func(id string) bool { return id == res.ID })
	// A run of selected checks also runs what they require.
	p.ended++
	p.total = max(p.total, p.ended)
	if res.Outcome == check.Failed {
		p.failed++
	}
	if p.on == plain || isOpen(res) {
		p.print(p.sentence(res))
	}
	p.draw()
}

// sentence is the plain line of a check that ended.
func (p *Progress) sentence(res check.Result) string {
	s := fmt.Sprintf("%6.1fs  %*d/%d  %-14s  %s", p.now().Sub(p.begun).Seconds(), len(fmt.Sprint(p.total)), p.ended, p.total, words(res.Outcome), res.ID)
	switch {
	case isOpen(res):
		s += ": " + short(res.Reason, longestCell)
	case res.Attempts > 0:
		s += fmt.Sprintf(" (%s)", took(res.Duration))
	}
	return s
}

func isOpen(res check.Result) bool {
	return res.Outcome == check.Failed || res.Outcome == check.Unknown
}

// Write prints whole lines above the line of a terminal; one without its end is
// held back until that is written, or until Close.
func (p *Progress) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, data...)
	end := bytes.LastIndexByte(p.partial, '\n')
	if end < 0 {
		return len(data), nil
	}
	p.print(string(p.partial[:end]))
	p.partial = append(p.partial[:0], p.partial[end+1:]...)
	p.draw()
	return len(data), nil
}

// Close erases the line of a terminal and prints what was held back. What is
// written later is printed too.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on == terminal {
		close(p.quit)
	}
	p.clear()
	p.on = plain
	if len(p.partial) > 0 {
		p.print(string(p.partial))
		p.partial = nil
	}
}

// print prints lines where the terminal's line was. A terminal that is gone is
// no reason to stop: the reports are what counts.
func (p *Progress) print(lines string) {
	p.clear()
	_, _ = io.WriteString(p.out, lines+"\n")
}

func (p *Progress) clear() {
	if p.drawn {
		_, _ = io.WriteString(p.out, erase)
		p.drawn = false
	}
}

func (p *Progress) draw() {
	if p.on != terminal {
		return
	}
	_, _ = io.WriteString(p.out, noWrap+p.status()+wrap)
	p.drawn = true
}

// status is the terminal's line; what matters most is at its beginning, since
// its end may be cut.
func (p *Progress) status() string {
	parts := []string{fmt.Sprintf("%d of %d checks", p.ended, p.total), fmt.Sprintf("%.0f s", p.now().Sub(p.begun).Seconds())}
	if p.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", p.failed))
	}
	if len(p.running) > 0 {
		parts = append(parts, "running "+some(p.running, 3))
	}
	return strings.Join(parts, ", ")
}
