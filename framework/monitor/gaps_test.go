// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// samplesOf are samples of a picture, one letter each Every; a space is none.
func samplesOf(letters string) []Sample {
	var list []Sample
	for i := range len(letters) {
		if letters[i] != ' ' {
			list = append(list, Sample{begin.Add(time.Duration(i) * Every), letters[i]})
		}
	}
	return list
}

func TestGaps(t *testing.T) {
	for _, c := range []struct{ name, letters, want string }{
		{"none", "..........", ""},
		{"one sample", "...t....", "300ms+100ms t1"},
		{"several", "..ttt..rr.", "200ms+300ms t3, 700ms+200ms r2"},
		{"slow alone is none", "..sss...", ""},
		{"slow beside a loss waited for its end", "..ttsss.", "200ms+500ms t2"},
		{"a broken connection", "..R...Bttt.", "200ms+100ms R1 broken 1, 600ms+400ms Bt4 broken 1"},
		{"to the end", "...ttt", "300ms+300ms t3 open"},
		{"from the beginning", "tt..", "0s+200ms t2"},
		{"a processor that was away in a gap", ".tt      tt.", "100ms+1s t4"},
		{"a hole that ends with an answer", ".tt      ...", "100ms+200ms t2 open"},
		{"a hole between answers", "...      ...", ""},
		{"nothing sent at its end", "..tt  ...", "200ms+300ms t2"},
		{"nothing sent at its begin", "..  tt..", "300ms+300ms t2"},
		{"a long hole", ".tt" + strings.Repeat(" ", 40) + "tt.", "100ms+200ms t2 open, 4.3s+200ms t2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, g := range gaps(Path{}, samplesOf(c.letters)) {
				s := fmt.Sprintf("%s+%s %s%d", g.Begin.Sub(begin), g.Length(), g.Letters, g.Lost)
				if g.Open {
					s += " open"
				}
				if g.Broken > 0 {
					s += fmt.Sprintf(" broken %d", g.Broken)
				}
				got = append(got, s)
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("%q: gaps %s, wanted %s", c.letters, strings.Join(got, ", "), c.want)
			}
		})
	}
}

func TestOwnTroubleIsNotTheClusters(t *testing.T) {
	path := Path{Node: "a", Way: Service, Flow: FlowTCP, Family: "ipv4"}
	other := Path{Node: "b", Way: Service, Flow: FlowTCP, Family: "ipv4"}
	samples := Samples{
		path:        samplesOf("..tttt...."),
		other:       samplesOf("..tttt...."),
		path.self(): samplesOf("..ttt....."),
	}
	own := map[Path]bool{}
	for _, g := range samples.Gaps(begin, begin.Add(time.Minute)) {
		own[g.Path] = g.Own
	}
	if !own[path] || own[other] {
		t.Errorf("own trouble: %v, wanted that of node a only", own)
	}
}

func TestGapsOfAStarvedMonitorAreItsOwn(t *testing.T) {
	path := Path{Node: "a", Way: Service, Flow: FlowTCP, Family: "ipv4"}
	for control, want := range map[string]bool{
		strings.Repeat(".", 50):    false,
		strings.Repeat("..  ", 12): true,
		strings.Repeat(".", 15) + "          " + strings.Repeat(".", 25): true,
	} {
		samples := Samples{path: samplesOf(strings.Repeat(".", 18) + "ttt" + strings.Repeat(".", 29)), path.self(): samplesOf(control)}
		for _, g := range samples.Gaps(begin, begin.Add(time.Minute)) {
			if g.Path == path && g.Own != want {
				t.Errorf("control %q: own %t, wanted %t", control, g.Own, want)
			}
		}
	}
}

func TestUnion(t *testing.T) {
	at := func(from, to int) Gap {
		return Gap{Begin: begin.Add(time.Duration(from) * time.Second), End: begin.Add(time.Duration(to) * time.Second)}
	}
	if sum := Union([]Gap{at(10, 12), at(0, 4), at(2, 5), at(3, 4)}); sum != 7*time.Second {
		t.Errorf("union %s, wanted 7s", sum)
	}
}

// TestRead takes files with a line cut short, a record twice and garbage.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	record := fmt.Sprintf(`{"at":%d,"every":100000000,"paths":{"service/tcp/ipv4/":{"phase":5000000,"samples":"..t "},"odd":{"samples":"."}}}`, begin.UnixNano())
	if err := os.MkdirAll(filepath.Join(dir, "worker"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := record + "\n\nhello\n" + record + "\n" + record[:40]
	if err := os.WriteFile(filepath.Join(dir, "worker", "monitor-1.jsonl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	samples, err := read(dir)
	if err != nil || len(samples) != 1 {
		t.Fatalf("%v, %v; wanted one path", samples, err)
	}
	got := samples[Path{Node: "worker", Way: Service, Flow: FlowTCP, Family: "ipv4"}]
	if len(got) != 3 || got[2].Letter != 't' || !got[0].At.Equal(begin.Add(5*time.Millisecond)) {
		t.Errorf("samples %v", got)
	}
}
