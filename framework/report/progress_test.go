// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/check"
)

// told is a Progress on which 14.2 s have gone by.
func told(out *bytes.Buffer, total int, on surface) *Progress {
	p := newProgress(out, total, on)
	p.now = func() time.Time { return p.begun.Add(14200 * time.Millisecond) }
	return p
}

func TestProgressInPlainLines(t *testing.T) {
	var out bytes.Buffer
	p := told(&out, 12, plain)
	p.Started(check.Check{ID: "dns.service-name"})
	p.Started(check.Check{ID: "pod.hairpin"})
	fmt.Fprint(p, "cluster blue: ")
	p.Ended(check.Result{ID: "pod.hairpin", Outcome: check.Passed, Attempts: 1, Duration: 430 * time.Millisecond})
	fmt.Fprint(p, "3 nodes\nand half a line")
	p.Ended(check.Result{ID: "dns.service-name", Outcome: check.Failed, Reason: "wanted an answer, observed none"})
	p.Close()
	want := `  14.2s   1/12  passed          pod.hairpin (430 ms)
cluster blue: 3 nodes
  14.2s   2/12  failed          dns.service-name: wanted an answer, observed none
and half a line
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

// screen is what a terminal of one unwrapped row per line shows of s.
func screen(s string) []string {
	rows := []string{""}
	for _, r := range strings.NewReplacer("\x1b[?7l", "", "\x1b[?7h", "", "\x1b[K", "\x00").Replace(s) {
		last := &rows[len(rows)-1]
		switch r {
		case '\n':
			rows = append(rows, "")
		case '\r':
			*last = ""
		case 0: // everything that follows in the row is erased, and was by \r above
		default:
			*last += string(r)
		}
	}
	return rows
}

func TestProgressOnATerminal(t *testing.T) {
	var out bytes.Buffer
	p := told(&out, 80, terminal)
	for _, id := range []string{"pod.a", "pod.b", "pod.c", "pod.d", "pod.e"} {
		p.Started(check.Check{ID: id})
	}
	p.Ended(check.Result{ID: "pod.b", Outcome: check.Passed, Attempts: 1})
	p.Ended(check.Result{ID: "pod.c", Outcome: check.Failed, Reason: "wanted this, observed that"})
	fmt.Fprintln(p, "evidence of pod.c: 60 items")
	p.mu.Lock()
	rows := screen(out.String())
	p.mu.Unlock()
	want := []string{
		"  14.2s   2/80  failed          pod.c: wanted this, observed that",
		"evidence of pod.c: 60 items",
		"2 of 80 checks, 14 s, 1 failed, running pod.a, pod.d, pod.e",
	}
	if strings.Join(rows, "\n") != strings.Join(want, "\n") {
		t.Errorf("the terminal shows\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	p.Close()
	if rows = screen(out.String()); rows[len(rows)-1] != "" {
		t.Errorf("Close leaves %q", rows[len(rows)-1])
	}
}

func TestProgressOfManyAtOnce(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 50, terminal)
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			id := fmt.Sprintf("pod.%d", i)
			p.Started(check.Check{ID: id})
			fmt.Fprintf(p, "about %s\n", id)
			p.Ended(check.Result{ID: id, Outcome: check.Passed})
		})
	}
	all.Wait()
	p.Close()
	if !strings.Contains(out.String(), "60 of 60 checks") {
		t.Error("more checks than were announced are not counted")
	}
	if n := strings.Count(out.String(), "about pod."); n != 60 {
		t.Errorf("%d lines were printed, want 60", n)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Setenv("TERM", "xterm")
	if surfaceOf(f) != plain || surfaceOf(new(bytes.Buffer)) != plain {
		t.Error("a file or a buffer is taken for a terminal")
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if surfaceOf(null) != terminal {
		t.Error("a character device is not taken for a terminal")
	}
	t.Setenv("TERM", "dumb")
	if surfaceOf(null) != plain {
		t.Error("a dumb terminal is taken for one that can erase")
	}
}
