// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/config"
)

var pod = Pod{Namespace: "ns", Name: "probe-x", Container: "probe", Node: "worker"}

var twoJobs = []job.Job{{ID: "a", Kind: job.TCP}, {ID: "b", Kind: job.UDP, Timeout: time.Second}}

// attached is one stream's course: what it writes for the first request, and
// how it ends.
type attached struct {
	stdout, stderr string
	err            error
}

// play is a transport whose streams go as told, in order, and counts them.
func play(streams ...attached) (*Exec, *int) {
	n := new(int)
	e := &Exec{timeouts: config.Timeouts{Exec: time.Second, ProbeJob: 3 * time.Second}, lines: map[string]*line{}}
	e.stream = func(_ context.Context, _ Pod, stdin io.Reader, stdout, stderr io.Writer) error {
		a := streams[min(*n, len(streams)-1)]
		*n++
		var request job.Request
		_ = json.NewDecoder(stdin).Decode(&request)
		fmt.Fprint(stderr, a.stderr)
		fmt.Fprint(stdout, a.stdout)
		return a.err
	}
	return e, n
}

const good = `{"id":1,"answer":{"results":[{"id":"a","ok":true,"sent":1,"received":1},{"id":"b","ok":false,"error":"timed-out","sent":1,"received":0}]}}`

func TestRunRetriesTheTransportOnly(t *testing.T) {
	dropped := errors.New("error dialing backend: connection reset by peer")
	for name, c := range map[string]struct {
		streams []attached
		execs   int
		want    string // in the error; empty: none
	}{
		"failed results are results":      {[]attached{{stdout: good}}, 1, ""},
		"dropped once":                    {[]attached{{err: dropped}, {stdout: good}}, 2, ""},
		"no output once":                  {[]attached{{}, {stdout: good}}, 2, ""},
		"cut off once":                    {[]attached{{stdout: good[:40]}, {stdout: good}}, 2, ""},
		"dropped always":                  {[]attached{{err: dropped}}, 3, "reset by peer"},
		"no output always is never green": {[]attached{{stdout: " \n"}}, 3, "the stream to the probe ended"},
		"garbage":                         {[]attached{{stdout: "hello"}}, 3, "no usable answer"},
		"fewer results than jobs":         {[]attached{{stdout: `{"id":1,"answer":{"results":[]}}`}}, 3, "2 jobs, 0 results"},
		"results of other jobs":           {[]attached{{stdout: strings.Replace(good, `"b"`, `"c"`, 1)}}, 3, `"c", wanted "b"`},
		"an answer to somebody else":      {[]attached{{stdout: strings.Replace(good, `"id":1`, `"id":5`, 1)}}, 3, "the stream to the probe ended"},
		"the probe gave up":               {[]attached{{stderr: "probe: read a request", err: utilexec.CodeExitError{Err: errors.New("exit 1"), Code: 1}}}, 1, "read a request"},
		"the pod is gone":                 {[]attached{{err: apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "probe-x")}}, 1, "not found"},
		"exec is forbidden":               {[]attached{{err: fmt.Errorf("upgrade: %w", apierrors.NewForbidden(schema.GroupResource{Resource: "pods/exec"}, "probe-x", nil))}}, 1, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			e, execs := play(c.streams...)
			defer e.Close()
			results, err := e.Run(t.Context(), pod, twoJobs)
			if *execs != c.execs {
				t.Errorf("%d execs, wanted %d", *execs, c.execs)
			}
			if c.want == "" {
				if err != nil || len(results) != 2 || results[1].Error != job.TimedOut {
					t.Errorf("results %+v, error %v", results, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || results != nil {
				t.Errorf("results %v, error %v; wanted one with %q", results, err, c.want)
			}
		})
	}
}

func TestRunEndsWithItsTime(t *testing.T) {
	execs := 0
	e := &Exec{timeouts: config.Timeouts{Exec: 20 * time.Millisecond, ProbeJob: 10 * time.Millisecond}, lines: map[string]*line{}}
	e.stream = func(ctx context.Context, _ Pod, _ io.Reader, _, _ io.Writer) error {
		execs++
		<-ctx.Done()
		return ctx.Err()
	}
	_, err := e.Run(t.Context(), pod, []job.Job{{ID: "a", Count: 3}})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 50ms") || execs != 1 {
		t.Errorf("%d execs, error %v; wanted one exec and its bound named", execs, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := e.Run(ctx, pod, twoJobs); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; wanted context canceled", err)
	}
	e.Close()
}

// answering is a transport with real concurrency: every request is answered
// after delay, whatever came after it.
func answering(starts *atomic.Int32, delay func(job.Batch) time.Duration) stream {
	return func(ctx context.Context, _ Pod, stdin io.Reader, stdout, _ io.Writer) error {
		starts.Add(1)
		go func() { // as the executor does it: reading does not hold up the end
			var writing sync.Mutex
			for requests := json.NewDecoder(stdin); ; {
				var request job.Request
				if requests.Decode(&request) != nil {
					return
				}
				go func() {
					time.Sleep(delay(request.Batch))
					reply := job.Reply{ID: request.ID}
					for _, j := range request.Batch.Jobs {
						reply.Answer.Results = append(reply.Answer.Results, job.Result{ID: j.ID, OK: true, Took: []time.Duration{j.Timeout}})
					}
					writing.Lock()
					defer writing.Unlock()
					_ = json.NewEncoder(stdout).Encode(reply)
				}()
			}
		}()
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestRunSharesAProbe(t *testing.T) {
	var starts atomic.Int32
	e := &Exec{timeouts: config.Timeouts{Exec: 5 * time.Second, ProbeJob: 3 * time.Second}, lines: map[string]*line{}}
	e.stream = answering(&starts, func(b job.Batch) time.Duration { return time.Duration(len(b.Jobs[0].ID)) * time.Millisecond })
	var group errgroup.Group
	for i := range 50 {
		group.Go(func() error {
			jobs := []job.Job{{ID: strings.Repeat("x", 50-i)}, {ID: "b", Timeout: time.Second}}
			results, err := e.Run(t.Context(), pod, jobs)
			if err != nil || results[0].ID != jobs[0].ID {
				return fmt.Errorf("batch %d: %+v, %w", i, results, err)
			}
			if results[0].Took[0] != 3*time.Second || results[1].Took[0] != time.Second || jobs[0].Timeout != 0 {
				return fmt.Errorf("batch %d: timeouts %+v of jobs %+v", i, results, jobs)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if starts.Load() != 1 {
		t.Errorf("%d probes were started in one pod", starts.Load())
	}
	e.Close()
	if _, err := e.Run(t.Context(), pod, twoJobs); err != nil || starts.Load() != 2 {
		t.Errorf("after Close: %d starts, %v; wanted a second one", starts.Load(), err)
	}
	e.Close()
}

func TestRunKeepsFewProbes(t *testing.T) {
	var starts atomic.Int32
	e := &Exec{timeouts: config.Timeouts{Exec: 5 * time.Second, ProbeJob: time.Second}, lines: map[string]*line{}}
	e.stream = answering(&starts, func(job.Batch) time.Duration { return 0 })
	for i := range 3 * keep {
		if _, err := e.Run(t.Context(), Pod{Name: fmt.Sprint(i)}, twoJobs); err != nil {
			t.Fatal(err)
		}
	}
	if len(e.lines) != keep {
		t.Errorf("%d probes are attached, wanted %d", len(e.lines), keep)
	}
	e.Close()
}

// TestRemoteFallsBack keeps the fallback from being lost: which module's type
// tells an upgrade failure has changed between releases of client-go.
func TestRemoteFallsBack(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method)
		if got := r.URL.Query()["command"]; r.URL.Path != "/api/v1/namespaces/ns/pods/probe-x/exec" || !reflect.DeepEqual(got, command) {
			t.Errorf("asked for %s %v", r.URL.Path, got)
		}
		http.Error(w, "no upgrades here", http.StatusBadRequest)
	}))
	defer server.Close()
	err := remote{&rest.Config{Host: server.URL}}.stream(t.Context(), pod, strings.NewReader(""), io.Discard, io.Discard)
	if err == nil {
		t.Error("no error")
	}
	if want := []string{"GET", "POST"}; !slices.Equal(seen, want) {
		t.Errorf("requests %v, wanted %v: WebSocket, then SPDY", seen, want)
	}
}

// runner fails for one pod and answers for the others.
type runner struct{ broken string }

func (r runner) Run(_ context.Context, pod Pod, jobs []job.Job) ([]job.Result, error) {
	if pod.Name == r.broken {
		return nil, errors.New("no exec")
	}
	results := make([]job.Result, len(jobs))
	for i, j := range jobs {
		results[i] = job.Result{ID: pod.Name + "/" + j.ID, OK: true}
	}
	return results, nil
}

func TestRunAllKeepsPodsApart(t *testing.T) {
	var tasks []Task
	for i := range 40 {
		tasks = append(tasks, Task{Pod: Pod{Name: fmt.Sprint(i)}, Jobs: twoJobs})
	}
	for i, done := range RunAll(t.Context(), runner{broken: "7"}, tasks) {
		if i == 7 {
			if done.Err == nil {
				t.Error("pod 7: no error")
			}
			continue
		}
		if want := fmt.Sprint(i, "/b"); done.Err != nil || len(done.Results) != 2 || done.Results[1].ID != want || done.Pod.Name != fmt.Sprint(i) {
			t.Errorf("pod %d: %+v, wanted result %s", i, done, want)
		}
	}
}
