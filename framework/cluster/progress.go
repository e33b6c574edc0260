// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	kindlog "sigs.k8s.io/kind/pkg/log"
)

// steps writes one line per step, with the seconds it took. Safe for concurrent
// use: kind is still at work while its creation is given up.
type steps struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *steps) do(what string, work func() error) error {
	start := time.Now()
	err := work()
	s.done(what, start, err == nil)
	return err
}

func (s *steps) done(what string, start time.Time, ok bool) {
	outcome := "done in"
	if !ok {
		outcome = "failed after"
	}
	s.say("%s: %s %.1fs", what, outcome, time.Since(start).Seconds())
}

func (s *steps) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.w, "cluster: "+format+"\n", args...)
}

// kindLogger turns what kind says of its phases into steps. kind's status
// (pkg/internal/cli) starts one with " • phase  ..." and ends it with
// " ✓ phase" or " ✗ phase".
type kindLogger struct {
	steps *steps
	mu    sync.Mutex
	start time.Time
}

var _ kindlog.Logger = &kindLogger{}

func (l *kindLogger) Warn(message string)          { l.steps.say("kind warns: %s", strings.TrimSpace(message)) }
func (l *kindLogger) Warnf(f string, args ...any)  { l.Warn(fmt.Sprintf(f, args...)) }
func (l *kindLogger) Error(message string)         { l.steps.say("kind: %s", strings.TrimSpace(message)) }
func (l *kindLogger) Errorf(f string, args ...any) { l.Error(fmt.Sprintf(f, args...)) }

func (l *kindLogger) V(level kindlog.Level) kindlog.InfoLogger {
	if level > 0 {
		return kindlog.NoopInfoLogger{}
	}
	return kindPhases{l}
}

type kindPhases struct{ *kindLogger }

func (p kindPhases) Enabled() bool               { return true }
func (p kindPhases) Infof(f string, args ...any) { p.Info(fmt.Sprintf(f, args...)) }

func (p kindPhases) Info(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mark, phase, _ := strings.Cut(strings.TrimSpace(message), " ")
	phase = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r > '~' { // kind's pictures
			return -1
		}
		return r
	}, phase))
	switch mark {
	case "•":
		p.start = time.Now()
	case "✓", "✗":
		p.steps.done("kind: "+strings.ToLower(phase), p.start, mark == "✓")
	}
}
