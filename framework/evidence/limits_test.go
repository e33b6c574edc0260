// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
)

func numbered(from, to int) string {
	var text strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&text, "line %06d\n", i)
	}
	return text.String()
}

func TestCutKeepsHeadAndTail(t *testing.T) {
	const limit = 1200 // 100 lines
	for _, chunk := range []int{1, 7, 100, 100000} {
		c := &cutter{limit: limit}
		text := numbered(0, 5000)
		for at := 0; at < len(text); at += chunk {
			if n, err := c.Write([]byte(text[at:min(at+chunk, len(text))])); err != nil || n == 0 {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		kept, reason := c.kept()
		head, tail, found := strings.Cut(string(kept), "\n[... ")
		_, tail, _ = strings.Cut(tail, " ...]\n")
		if !found || head != numbered(0, 25) || !strings.HasSuffix(text, tail) || strings.Count(tail, "\n") != 75 {
			t.Errorf("chunks of %d: head of %d and tail of %d bytes kept: %.60q ... %.60q", chunk, len(head), len(tail), head, tail)
		}
		if want := fmt.Sprintf("%d bytes (%d lines) left out between head and tail", len(text)-len(head)-len(tail), 4900); reason != want {
			t.Errorf("reason %q, want %q", reason, want)
		}
	}
}

func TestCutLeavesWhatFits(t *testing.T) {
	for _, text := range []string{"", "short", numbered(0, 100), strings.Repeat("x", 1200)} {
		c := &cutter{limit: 1200}
		_, _ = c.Write([]byte(text))
		if kept, reason := c.kept(); string(kept) != text || reason != "" {
			t.Errorf("%d bytes of a limit of 1200: %d kept, reason %q", len(text), len(kept), reason)
		}
	}
	c := &cutter{limit: 1200}
	_, _ = c.Write(bytes.Repeat([]byte("x"), 5000))
	if kept, reason := c.kept(); len(kept) < 1200 || len(kept) > 1300 || reason == "" {
		t.Errorf("one line of 5000 bytes: %d kept, reason %q", len(kept), reason)
	}
}

// newBundleAt is a bundle without collectors, to write to.
func newBundleAt(t *testing.T, dir string, limits Limits) (*bundle, *Writer) {
	t.Helper()
	r := Request{Dir: dir, RunID: "run-1", Limits: limits.orDefault(), Cluster: &cluster.Cluster{}}
	b, err := newBundle(r)
	if err != nil {
		t.Fatal(err)
	}
	return b, (&collection{Request: r, bundle: b}).writer("test", "")
}

func TestBundleKeepsItsLimits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	limits := Limits{Item: 20 << 10, Bundle: 50 << 10, Run: 400 << 10}
	var previous int64
	for bundles := range 6 {
		b, w := newBundleAt(t, filepath.Join(dir, fmt.Sprint("check-", bundles)), limits)
		for i := range 20 {
			item := w.begin("cat")
			item.Path = fmt.Sprintf("cluster/%d.txt", i)
			w.saveText(item, numbered(0, 3000))
		}
		m, err := b.close()
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		var kept, refused int
		for _, item := range m.Items {
			sum += item.Size
			if item.Path == "" {
				refused++
				if !strings.Contains(item.Reason, "limit of bytes is used up") {
					t.Errorf("item without file: %q", item.Reason)
				}
				continue
			}
			kept++
			if !item.Truncated || item.Size > limits.Item+200 {
				t.Errorf("bundle %d: item of %d bytes, truncated %t", bundles, item.Size, item.Truncated)
			}
		}
		if sum > limits.Bundle || kept == 0 || refused == 0 || kept+refused != 20 {
			t.Errorf("bundle %d: %d bytes in %d items, %d refused", bundles, sum, kept, refused)
		}
		if bundles == 5 && sum >= previous {
			t.Errorf("the sixth bundle has %d bytes, the fifth %d: the run's limit does not bite", sum, previous)
		}
		previous = sum
	}
	_, other := newBundleAt(t, filepath.Join(t.TempDir(), "evidence", "x"), limits)
	if other.bundle.left != limits.Bundle {
		t.Errorf("another run's bundle begins with %d bytes, want %d", other.bundle.left, limits.Bundle)
	}
}

func TestBundleRefusesPathsOutside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b")
	b, w := newBundleAt(t, dir, Limits{})
	for _, path := range []string{"../escape.txt", "cluster/a.txt", "cluster/a.txt"} {
		item := w.begin("cat")
		item.Path = path
		w.saveText(item, "text")
	}
	if _, err := b.close(); err == nil || strings.Count(err.Error(), "wanted a new path inside the bundle") != 2 {
		t.Errorf("close after a path outside and a path twice: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "..", "escape.txt")); err == nil {
		t.Error("a file was written outside the bundle")
	}
}

func TestSaveKeepsWhatWasRead(t *testing.T) {
	b, w := newBundleAt(t, filepath.Join(t.TempDir(), "b"), Limits{})
	read := func(path string, r io.Reader) {
		item := w.begin("kubectl logs")
		item.Path = path
		w.save(item, r)
	}
	timeout := fmt.Errorf("token=abcdef012345: %w", context.DeadlineExceeded)
	read("a.log", io.MultiReader(strings.NewReader("first line\n"), iotest.ErrReader(timeout)))
	read("b.log", iotest.ErrReader(errors.New("refused")))
	m, _ := b.close()
	if a := m.Items[1]; a.Path != "a.log" || a.Status != TimedOut || a.Size != 11 || strings.Contains(a.Reason, "abcdef") {
		t.Errorf("a log that stopped: %+v", a)
	}
	if b := m.Items[0]; b.Path != "" || b.Status != Unavailable || b.Reason != "refused" {
		t.Errorf("a log that never began: %+v", b)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Open(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of an empty directory: %v", err)
	}
	for text, want := range map[string]string{"{": "parse", `{"version":7}`: "wanted version 1, observed 7"} {
		if err := os.WriteFile(filepath.Join(dir, manifestName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open with manifest %s: %v", text, err)
		}
	}
	data, err := json.Marshal(Manifest{Version: 1, RunID: "r", Items: []Item{{Path: "p", Duration: time.Second}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, manifestName), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, m, err := Open(dir); err != nil || m.Items[0].Duration != time.Second {
		t.Errorf("Open = %+v, %v", m, err)
	}
}

// TestCutterKeepsWhatRulesLookFor: the line that names the cause is in the middle
// of a log that is cut, and another one says the same a thousand times.
func TestCutterKeepsWhatRulesLookFor(t *testing.T) {
	const telling = "E1122 10:00:01.5 1 kubelet.go:1] failed to find plugin \"bridge\" in path [/opt/cni/bin]"
	c := &cutter{limit: 20_000, telling: func(line string) bool { return strings.Contains(line, "failed to") }}
	for i := range 50_000 {
		line := fmt.Sprintf("I1122 10:00:%02d.%d 1 kubelet.go:2] nothing to see", i%60, i)
		switch {
		case i == 20_000:
			line = telling
		case i%50 == 0:
			line = fmt.Sprintf("E1122 10:00:%02d.%d 1 x.go:7] failed to sync pod %d", i%60, i, i)
		}
		for _, half := range []string{line[:11], line[11:] + "\n"} { // in pieces, as streams come
			if _, err := io.WriteString(c, half); err != nil {
				t.Fatal(err)
			}
		}
	}
	content, reason := c.kept()
	if len(content) > 20_000+300 || !strings.Contains(string(content), telling) || !strings.Contains(reason, "but for ") {
		t.Errorf("%d bytes, reason %q, the telling line is there: %t", len(content), reason, strings.Contains(string(content), telling))
	}
	middle := string(content)[strings.Index(string(content), "[... "):strings.Index(string(content), "[... what follows")]
	if n := strings.Count(middle, "failed to sync"); n != alike {
		t.Errorf("%d lines that say the same were kept, want %d", n, alike)
	}
}
