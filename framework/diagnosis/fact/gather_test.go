// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf16"
)

var testWording = Say("a test says something", `the bridge (?P<bridge>\S+) is gone`)

// gather reads named texts.
func gather(files map[string]string) *Facts {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Gather(Tree(tree))
}

func stream(name string, r io.Reader) File {
	return File{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }}
}

func TestStatementsTellWhereAndWhen(t *testing.T) {
	f := gather(map[string]string{
		"cluster/nodes.txt": "NAME   STATUS   ROLES    AGE   VERSION   INTERNAL-IP\nworker2   Ready    <none>   1h   v1.36.3   172.18.0.3\n",
		"cluster/pods.txt":  "NAMESPACE   NAME    READY   STATUS    RESTARTS   AGE   IP           NODE\ndefault     web-1   0/1     ContainerCreating   0   1m   <none>   worker2\n",
		"kubelet.log":       "2026-11-22T16:42:17.092297+0000 worker2 kubelet[274]: E1122 16:42:17.092038     274 x.go:1] \"bad\" err=\"the bridge \\\"cni0\\\" is gone\"\n",
		"events.txt":        "LAST                  COUNT  TYPE     REASON  KIND  OBJECT  SOURCE   MESSAGE\n2026-11-22T16:42:10Z  3      Warning  Bad     Pod   web-1   kubelet  the bridge cni0 is gone\n",
	})
	said := f.Said(testWording)
	if len(said) != 2 {
		t.Fatalf("%d sayings, wanted one per file: %+v", len(said), said)
	}
	wanted := time.Date(2026, 11, 22, 16, 42, 17, 92297000, time.UTC)
	latest := said[0].Latest()
	if !latest.Time.Equal(wanted) || latest.Node != "worker2" || latest.Sort != KubeletLog || latest.Args["bridge"] != `"cni0"` {
		t.Errorf("kubelet's statement: %+v", latest)
	}
	if !f.Now.Equal(wanted) {
		t.Errorf("now is %s, wanted the latest time %s", f.Now, wanted)
	}
	event := said[1].Latest()
	if event.Pod != "web-1" || event.Node != "worker2" || event.Quote.Line != 2 {
		t.Errorf("the event's pod tells its node: %+v", event)
	}
}

func TestWrappedTextIsJoined(t *testing.T) {
	f := gather(map[string]string{"-": "    Warning  Bad  20m  kubelet, node1  failed: the\n    bridge cni0 is\n    gone\n"})
	said := f.Said(testWording)
	if len(said) != 1 || said[0].Latest().Quote.Line != 1 || said[0].Node != "node1" {
		t.Fatalf("%+v", said)
	}
}

func TestEventAgesCountFromNow(t *testing.T) {
	f := gather(map[string]string{
		"a.log": "time=\"2026-11-22T10:00:00Z\" level=info msg=x\n",
		"get-events.txt": "NAMESPACE   LAST SEEN   TYPE      REASON   OBJECT      MESSAGE\n" +
			"demo        2m30s       Warning   Bad      pod/web-1   the bridge cni0 is gone\n",
	})
	if got, wanted := f.Said(testWording)[0].Last, time.Date(2026, 11, 22, 9, 57, 30, 0, time.UTC); !got.Equal(wanted) {
		t.Errorf("said at %s, wanted %s", got, wanted)
	}
}

func TestInputsThatAreNotPlainText(t *testing.T) {
	line := "the bridge cni0 is gone\r\n"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, line)
	w.Close()
	wide := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(line)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	for name, data := range map[string][]byte{
		"gzip": packed.Bytes(), "UTF-16": wide, "Latin-1": append([]byte("caf\xe9 "), line...), "coloured": []byte("\x1b[31mthe bridge\x1b[0m cni0 is gone"),
		"no final newline": []byte(strings.TrimSpace(line)),
	} {
		f := Gather([]File{stream(name, bytes.NewReader(data))})
		if len(f.Said(testWording)) != 1 {
			t.Errorf("%s: not understood: %+v", name, f.Skipped)
		}
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{"binary": {[]byte("ELF\x00\x01"), ErrBinary}, "empty": {nil, ErrEmpty}} {
		f := Gather([]File{stream(name, bytes.NewReader(c.data))})
		if len(f.Skipped) != 1 || !errors.Is(f.Skipped[0].Err, c.want) {
			t.Errorf("%s: %+v, wanted %v", name, f.Skipped, c.want)
		}
	}
}

func TestUnreadableFilesAreToldAndDoNotStopTheRest(t *testing.T) {
	broken := File{Name: "broken", Open: func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }}
	halfway := stream("halfway", io.MultiReader(strings.NewReader("the bridge cni0 is gone\n"), &failing{}))
	f := Gather([]File{broken, halfway, stream("good", strings.NewReader("the bridge cni0 is gone\n"))})
	if len(f.Skipped) != 2 || len(f.Said(testWording)) != 1 {
		t.Errorf("skipped %+v, said %d", f.Skipped, len(f.Said(testWording)))
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// endless yields lines until it has yielded so many bytes.
type endless struct {
	line string
	left int
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && e.left > 0 {
		c := copy(p[n:], e.line[e.at:])
		n, e.left, e.at = n+c, e.left-c, (e.at+c)%len(e.line)
	}
	return n, nil
}

// TestMemoryDoesNotGrow reads far more than it may keep: repeated lines, and
// one line without an end.
func TestMemoryDoesNotGrow(t *testing.T) {
	for name, line := range map[string]string{
		"lines":    "Nov 22 15:06:16 w1 kubelet[2281]: E1122 15:06:16.010267    2281 x.go:1] the bridge cni0 is gone, attempt 4711\n",
		"one line": strings.Repeat("the bridge cni0 was here, ", 40),
	} {
		f := Gather([]File{stream(name, &endless{line: line, left: 64 << 20})})
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > 48<<20 {
			t.Errorf("%s: %d MB are kept of 64 MB", name, m.HeapAlloc>>20)
		}
		if name == "lines" {
			said := f.Said(testWording)
			if len(said) != 1 || len(said[0].Samples) > keptFirst+keptLatest {
				t.Fatalf("%d sayings", len(said))
			}
			if first, last := said[0].Samples[0].Quote.Line, said[0].Latest().Quote.Line; first != 1 || last < 500000 {
				t.Errorf("kept lines %d to %d, wanted the first and the last", first, last)
			}
		}
		runtime.KeepAlive(f)
	}
}

func TestConclusionsAreNotEvidence(t *testing.T) {
	f := gather(map[string]string{"cause.txt": "the bridge cni0 is gone", "diagnosis.json": `"the bridge cni0 is gone"`, "x.log": "nothing"})
	if said := f.Said(testWording); len(said) > 0 {
		t.Errorf("a conclusion was read as evidence: %+v", said)
	}
}

func TestManifestTellsNodeAndTime(t *testing.T) {
	f := gather(map[string]string{
		"b/manifest.json":  `{"version":1,"started":"2026-11-22T10:00:00Z","subject":{"Since":"2026-11-22T09:59:00Z"},"items":[{"path":"some/where.log","collector":"kubelet-log","node":"w7"}]}`,
		"b/some/where.log": "the bridge cni0 is gone\n",
		"b/check.json":     "{\n \"id\": \"pod.other-node\",\n \"area\": \"pod\",\n \"reason\": \"w7: timed out\",\n \"failures\": [{\"node\":\"w7\",\"pods\":[\"a/b\"]}]\n}",
	})
	if said := f.Said(testWording); len(said) != 1 || said[0].Node != "w7" || said[0].Sort != KubeletLog {
		t.Errorf("%+v", said)
	}
	if !f.Whole || f.Since.IsZero() || f.Check == nil || f.Check.Quote.Line != 4 || !f.Check.Names("a/b") {
		t.Errorf("whole %t, since %s, check %+v", f.Whole, f.Since, f.Check)
	}
}
