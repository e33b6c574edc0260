// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/scenario"
	"github.com/cniproof/cniproof/framework/session"
)

// lane is one cluster at a time, on which scenarios follow one another. The lanes of
// an exam run side by side and share its queue.
type lane struct {
	exam *Exam
	log  io.Writer

	// Of the topology that is examined now. given ends its cluster's name where
	// another lane has the topology's first, see cluster.KindOptions.
	topology, given string
	kubeconfig      string
	session         *session.Session
	engine          *scenario.Engine
	// found tells that the cluster was there before this run.
	found bool
	// dirty tells that the cluster is not as it should be: the next scenario gets a
	// new one. stuck tells that there is none to be had.
	dirty, stuck bool
}

// run takes scenarios from the queue until none is left. The error is about what is
// left behind; what did not hold of a scenario is its own verdict.
func (l *lane) run(ctx context.Context) error {
	var errs []error
	for ctx.Err() == nil && !l.stuck && !l.exam.late(l.topology) {
		s, ok := l.exam.queue.Next(l.topology)
		if !ok {
			break
		}
		if s.Topology != l.topology {
			errs = append(errs, l.leave(ctx))
			l.topology, l.given, l.dirty = s.Topology, l.exam.given(s.Topology), true
		}
		l.exam.verdicts[s.Name] <- l.examine(ctx, s)
	}
	return errors.Join(append(errs, l.leave(ctx))...)
}

// leave looks at all checks once more and removes what was deployed. A cluster that was
// made for this run goes too, unless it is the last and kept for the next; where time is
// short also one that was there before, for an idle one takes a quarter of two cores.
func (l *lane) leave(ctx context.Context) error {
	if l.topology == "" {
		return nil
	}
	err := errors.Join(l.finish(ctx), l.close())
	more := len(l.exam.queue.Left()) > 0 && !l.exam.isOver() || l.given != ""
	if more && (!l.found || *l.exam.limit > 0) && *l.exam.only == "" {
		err = errors.Join(err, l.provider().Down(context.WithoutCancel(ctx)))
	}
	return err
}

// finish looks at all checks once more, unless it is known already that something is
// wrong.
func (l *lane) finish(ctx context.Context) error {
	if l.engine == nil || l.dirty || *l.exam.keep || ctx.Err() != nil {
		return nil
	}
	l.exam.host.Lock()
	defer l.exam.host.Unlock()
	l.engine.Log = l.say
	return l.engine.Finish(ctx, l.topology+l.given)
}

// examine tries a scenario until all of it holds, as often as -tries allows.
func (l *lane) examine(ctx context.Context, s scenario.Scenario) verdict {
	dir := filepath.Join(l.exam.dir, s.Name)
	err := l.try(ctx, s)
	for n := 2; n <= *l.exam.tries && err != nil && ctx.Err() == nil && !*l.exam.keep; n++ {
		fmt.Fprintf(l.log, "%s: try %d of %d, since %v\n", s.Name, n, *l.exam.tries, err)
		if err = os.Rename(dir, fmt.Sprintf("%s-try-%d", dir, n-1)); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = l.try(ctx, s)
		}
	}
	return verdict{dir, err}
}

// try runs the scenario once, on a cluster in which nothing is left of another.
func (l *lane) try(ctx context.Context, s scenario.Scenario) error {
	if l.dirty {
		err := l.renew(ctx, s)
		if l.stuck = err != nil && l.engine == nil; err != nil {
			return err
		}
	}
	var host sync.Locker = l.exam.host.RLocker()
	if s.Alone {
		host = &l.exam.host
	}
	host.Lock()
	defer host.Unlock()
	l.engine.Narrow = l.exam.hurried()
	start := time.Now()
	l.engine.Log = func(format string, args ...any) {
		fmt.Fprintf(l.log, "%6.1fs  "+format+"\n", append([]any{time.Since(start).Seconds()}, args...)...)
	}
	out, err := l.engine.Run(ctx, s)
	l.dirty = !out.Healed && !*l.exam.keep
	if *l.exam.keep && err == nil {
		var look []string
		if s.Look != nil {
			look = s.Look(scenario.Target{Cluster: l.session.Cluster, Node: out.Node})
		}
		l.exam.howToLook(s, l.kubeconfig, look)
	}
	return errors.Join(err, l.exam.score(out))
}

// renew gives s and those that follow it a cluster in which no fault is. Making one,
// and looking at it, takes the whole machine: what others look at meanwhile would be
// late, and red.
func (l *lane) renew(ctx context.Context, s scenario.Scenario) error {
	l.exam.host.Lock()
	defer l.exam.host.Unlock()
	if l.session != nil {
		fmt.Fprintf(l.log, "the cluster of topology %s is not as it was: replacing it\n", l.topology)
		if err := l.close(); err != nil {
			fmt.Fprintf(l.log, "close the old one: %v\n", err)
		}
		if err := l.provider().Down(ctx); err != nil {
			return err
		}
	}
	if err := l.open(ctx, s); err != nil {
		return err
	}
	l.dirty = false
	return nil
}

// open makes the cluster, deploys the fixtures and looks at all checks; in a hurry at
// those that s and the scenarios left for it name: leave has them all. A *config.Problem
// is for the person who started the run.
func (l *lane) open(ctx context.Context, s scenario.Scenario) error {
	var err error
	l.session, err = session.New(session.Input{Options: l.exam.options, Provider: l.provider(), Connected: l.exam.healLeftover, Log: l.log})
	if err != nil {
		return err
	}
	mine := func(k cluster.Kept) bool { return k.Topology == l.topology && k.Given == l.given }
	if _, err := l.exam.healKept(ctx, mine); err != nil {
		fmt.Fprintln(l.log, err) // the cluster is replaced, or healed once it answers
	}
	kept, err := cluster.ListKept(ctx)
	if err != nil {
		return err
	}
	l.found = slices.ContainsFunc(kept, mine)
	if err := l.session.Open(ctx); err != nil {
		return err
	}
	l.engine = scenario.On(l.session)
	l.engine.Keep, l.engine.Quick = *l.exam.keep, *l.exam.quick
	l.engine.Log = l.say
	ids := l.engine.All()
	if l.exam.hurried() {
		ids = l.exam.named(s)
	}
	return l.engine.Begin(ctx, l.topology+l.given, ids)
}

func (l *lane) say(format string, args ...any) { fmt.Fprintf(l.log, format+"\n", args...) }

// close removes what was deployed, also after an interrupt; the cluster stays.
func (l *lane) close() error {
	s := l.session
	l.session, l.engine = nil, nil
	if s == nil {
		return nil
	}
	return s.Close()
}

func (l *lane) provider() cluster.Provider {
	return following{l.exam.provider(l.topology, l.given, l.log), &l.kubeconfig}
}

// following remembers where the kubeconfig of the last cluster is.
type following struct {
	cluster.Provider
	kubeconfig *string
}

func (f following) Up(ctx context.Context) (*cluster.Cluster, error) {
	c, err := f.Provider.Up(ctx)
	*f.kubeconfig = f.Provider.Kubeconfig()
	return c, err
}

// prefixed begins every line with the prefix.
type prefixed struct {
	to     io.Writer
	prefix string
	mu     *sync.Mutex // of all that write there
	rest   []byte      // of a line that has not ended
}

func (p *prefixed) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, data...)
	end := bytes.LastIndexByte(p.rest, '\n') + 1
	for line := range bytes.Lines(p.rest[:end]) {
		if _, err := fmt.Fprintf(p.to, "%s%s", p.prefix, line); err != nil {
			return 0, err
		}
	}
	p.rest = append([]byte(nil), p.rest[end:]...)
	return len(data), nil
}
