// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cniproof/cniproof/fixtures/probe/job"
)

// Follow corrects aims and fetches samples until ctx ends, so that of a node that
// is replaced little is lost. An API server that is away is asked again. Asking a
// monitor starts a process beside it, which its samples must not feel: few are asked
// at a time.
func (m *Monitors) Follow(ctx context.Context) {
	beat := time.NewTicker(followEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			if f, err := m.survey(ctx); err == nil {
				_ = m.tell(ctx, f)
				_ = m.fetch(ctx, f.only(m.due(f)))
			}
		}
	}
}

// due are the monitors to be asked in this beat: those that were not for longest, so
// many that all are within fetchEvery, and all of nodes that are cordoned, which are
// those about to go.
func (m *Monitors) due(f *field) map[types.UID]bool {
	var all []corev1.Pod
	due := map[types.UID]bool{}
	for _, pods := range f.monitors {
		for node, p := range pods {
			all = append(all, p)
			if f.cordoned[node] {
				due[p.UID] = true
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.SortFunc(all, func(a, b corev1.Pod) int {
		return cmp.Or(m.asked[a.UID].Compare(m.asked[b.UID]), cmp.Compare(a.UID, b.UID))
	})
	beats := int(fetchEvery / followEvery)
	for _, p := range all[:(len(all)+beats-1)/beats] {
		due[p.UID] = true
	}
	return due
}

// fetch appends to the files here what the monitors have beyond.
func (m *Monitors) fetch(ctx context.Context, f *field) error {
	return m.each(ctx, f, func(ctx context.Context, app string, p corev1.Pod) error {
		m.mu.Lock()
		from := m.fetched[p.UID]
		m.asked[p.UID] = time.Now()
		m.mu.Unlock()
		data, err := m.exec(ctx, p, nil, "-read", fmt.Sprintf("-from=%d", from))
		if err != nil {
			return fmt.Errorf("fetch the samples of the monitor on %s: %w", p.Spec.NodeName, err)
		}
		data = data[:bytes.LastIndexByte(data, '\n')+1] // the last line may be under way
		if err := appendFile(m.file(app, p), data); err != nil {
			return err
		}
		m.mu.Lock()
		m.fetched[p.UID] = from + int64(len(data))
		m.mu.Unlock()
		return nil
	})
}

// file is that of a monitor pod's samples: <node>/<DaemonSet>-<pod's UID>.jsonl.
func (m *Monitors) file(app string, p corev1.Pod) string {
	return filepath.Join(m.in.Dir, p.Spec.NodeName, app+"-"+string(p.UID)+".jsonl")
}

func appendFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// Collect fetches what is left, after the last samples are written, and returns
// all samples. missing says, by node, which monitors could not be asked at the
// end: of them there is what was fetched before.
func (m *Monitors) Collect(ctx context.Context) (samples Samples, missing []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.in.Timeouts.FixturesReady)
	defer cancel()
	select { // samples that are under way
	case <-time.After(job.SampleTimeout + 2*time.Second):
	case <-ctx.Done():
	}
	var problem error
	err = wait.PollUntilContextCancel(ctx, 2*pollEvery, true, func(ctx context.Context) (bool, error) {
		var f *field
		if f, problem = m.survey(ctx); problem == nil {
			problem = m.fetch(ctx, f)
		}
		return problem == nil, nil
	})
	if err != nil && problem != nil {
		for line := range strings.Lines(problem.Error()) {
			missing = append(missing, strings.TrimSpace(line))
		}
		slices.Sort(missing)
	}
	samples, err = read(m.in.Dir)
	return samples, missing, err
}
