// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/diagnosis/fact"
	"github.com/cniproof/cniproof/framework/redact"
)

// Writer takes what one collector gathers, on one node where it has one, into
// the bundle: secrets replaced, cut to the limits, listed in the manifest. Safe
// for concurrent use.
type Writer struct {
	bundle          *bundle
	collector, node string
	timeouts        config.Timeouts
	since           time.Time
	// slots are how many execs its node may have at a time; nil is any number.
	slots chan struct{}
	// runtime is what the writers of a node share: the answers to runtimeConfig.
	runtime *runtimeAnswers
	done    atomic.Bool
}

// runtimeAnswers are those to runtimeConfig, asked for when first wanted.
type runtimeAnswers struct {
	once    sync.Once
	answers []answer
}

// runtimeConfig is what the runtimes of the writer's node say of themselves, asked
// once for all collectors: it takes the heaviest programs of a node.
func (w *Writer) runtimeConfig(ctx context.Context, c *cluster.Cluster) []answer {
	w.runtime.once.Do(func() { w.runtime.answers = w.ask(ctx, c, runtimeConfig) })
	return w.runtime.answers
}

// begin is a new item of this writer's; Started is now.
func (w *Writer) begin(command string) Item {
	return Item{Collector: w.collector, Node: w.node, Command: command, Started: time.Now()}
}

// save stores content as the item's file. A read error keeps what was read
// before it.
func (w *Writer) save(item Item, content io.Reader) {
	cut := &cutter{limit: int(w.bundle.limits.Item), telling: fact.Telling()}
	clean := redact.NewWriter(cut)
	_, err := io.Copy(clean, content)
	_ = clean.Close() // a cutter does not fail
	kept, reason := cut.kept()
	if err != nil && len(kept) == 0 {
		w.fail(item, err)
		return
	}
	item.Status, item.Redacted = Collected, clean.Count()
	if reason != "" {
		item.Truncated, item.Reason = true, reason
	}
	if err != nil {
		item.Status, item.Reason = statusOf(err), "incomplete: "+safe(err.Error())
	}
	w.record(item, kept)
}

func (w *Writer) saveText(item Item, content string) {
	w.save(item, bytes.NewReader([]byte(content)))
}

// fail records that the item could not be had.
func (w *Writer) fail(item Item, err error) {
	item.Path, item.Status, item.Reason = "", statusOf(err), err.Error()
	w.record(item, nil)
}

func (w *Writer) record(item Item, content []byte) {
	if w.done.Load() {
		return // the collector's time was up and the manifest says so
	}
	if item.Duration == 0 {
		item.Duration = time.Since(item.Started)
	}
	item.Command, item.Reason, item.Note = safe(item.Command), safe(item.Reason), safe(item.Note)
	if item.Path == "" {
		w.bundle.add(item)
		return
	}
	w.bundle.store(item, content)
}

// safe is a text of the manifest without secrets.
func safe(text string) string {
	clean, _ := redact.Text([]byte(text))
	return string(clean)
}

// statusOf tells what ran out of time from what is not there.
func statusOf(err error) Status {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return TimedOut
	}
	return Unavailable
}

// whatTimedOut says which bound a collector met.
func whatTimedOut(err error, limit time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s: %w", limit, err)
	}
	return err
}
