// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/session"
)

// look is one run of the checks; its files go to the folder name. What it deployed
// is removed when it returns.
func (g *gating) look(ctx context.Context, name string) (run Run, s *session.Session, err error) {
	o := *g.options
	o.Artifacts = filepath.Join(g.dir, name)
	total := 0
	for _, c := range check.Default.Checks() {
		if len(o.Areas) == 0 || slices.Contains(o.Areas, c.Area()) {
			total++
		}
	}
	progress := NewProgress(g.log, total)
	defer progress.Close()
	s, err = session.New(session.Input{Options: &o, Ahead: true, Watch: progress, Log: progress})
	if err != nil {
		return run, nil, err
	}
	part := &Suite{options: &o, log: progress, session: s}
	defer func() {
		if closing := s.Close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("not everything was removed: %w", closing))
		}
		part.problem = err
		run = part.collect()
		run.Complete = err == nil
	}()
	if err = s.Open(ctx); err != nil {
		return run, s, err
	}
	if part.round, err = s.Round(""); err != nil {
		return run, s, err
	}
	part.round.Ahead(ctx, part.ids())()
	if ctx.Err() != nil {
		return run, s, errors.New("interrupted")
	}
	return run, s, s.Deployed(ctx)
}
