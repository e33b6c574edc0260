// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/config"
)

var pod = Pod{Namespace: "ns", Name: "probe-x", Container: "probe", Node: "worker"}

var twoJobs = []job.Job{{ID: "a", Kind: job.TCP}, {ID: "b", Kind: job.UDP, Timeout: time.Second}}

// reply is one exec's outcome.
type reply struct {
	stdout, stderr string
	err            error
}

// play is a transport that gives replies in order and counts them.
func play(replies ...reply) (*Exec, *int) {
	n := new(int)
	return &Exec{
		timeouts: config.Timeouts{Exec: time.Second, ProbeJob: 3 * time.Second},
		stream: func(context.Context, Pod, []byte) ([]byte, []byte, error) {
			r := replies[min(*n, len(replies)-1)]
			*n++
			return []byte(r.stdout), []byte(r.stderr), r.err
		},
	}, n
}

const good = `{"results":[{"id":"a","ok":true,"sent":1,"received":1},{"id":"b","ok":false,"error":"timed-out","sent":1,"received":0}]}`

func TestRunRetriesTheTransportOnly(t *testing.T) {
	dropped := errors.New("error dialing backend: connection reset by peer")
	for name, c := range map[string]struct {
		replies []reply
		execs   int
		want    string // in the error; empty: none
	}{
		"failed results are results":      {[]reply{{stdout: good}}, 1, ""},
		"dropped once":                    {[]reply{{err: dropped}, {stdout: good}}, 2, ""},
		"no output once":                  {[]reply{{}, {stdout: good}}, 2, ""},
		"cut off once":                    {[]reply{{stdout: good[:40]}, {stdout: good}}, 2, ""},
		"dropped always":                  {[]reply{{err: dropped}}, 3, "reset by peer"},
		"no output always is never green": {[]reply{{stdout: " \n"}}, 3, "wrote nothing"},
		"fewer results than jobs":         {[]reply{{stdout: `{"results":[]}`}}, 3, "2 jobs, 0 results"},
		"results of other jobs":           {[]reply{{stdout: strings.Replace(good, `"b"`, `"c"`, 1)}}, 3, `"c", wanted "b"`},
		"the probe gave up":               {[]reply{{stderr: "probe: read a batch", err: utilexec.CodeExitError{Err: errors.New("exit 1"), Code: 1}}}, 1, "read a batch"},
		"the pod is gone":                 {[]reply{{err: apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "probe-x")}}, 1, "not found"},
		"exec is forbidden":               {[]reply{{err: fmt.Errorf("upgrade: %w", apierrors.NewForbidden(schema.GroupResource{Resource: "pods/exec"}, "probe-x", nil))}}, 1, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			e, execs := play(c.replies...)
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
	e := &Exec{
		timeouts: config.Timeouts{Exec: 20 * time.Millisecond, ProbeJob: 10 * time.Millisecond},
		stream: func(ctx context.Context, _ Pod, _ []byte) ([]byte, []byte, error) {
			execs++
			<-ctx.Done()
			return nil, nil, ctx.Err()
		},
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
}

func TestRunFillsInTimeouts(t *testing.T) {
	var sent job.Batch
	e := &Exec{timeouts: config.Timeouts{Exec: time.Second, ProbeJob: 3 * time.Second}}
	e.stream = func(_ context.Context, _ Pod, stdin []byte) ([]byte, []byte, error) {
		return []byte(good), nil, json.Unmarshal(stdin, &sent)
	}
	if _, err := e.Run(t.Context(), pod, twoJobs); err != nil {
		t.Fatal(err)
	}
	if got := []time.Duration{sent.Jobs[0].Timeout, sent.Jobs[1].Timeout}; !slices.Equal(got, []time.Duration{3 * time.Second, time.Second}) {
		t.Errorf("timeouts %v", got)
	}
	if twoJobs[0].Timeout != 0 {
		t.Error("the caller's jobs were changed")
	}
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
	_, _, err := remote{&rest.Config{Host: server.URL}}.stream(t.Context(), pod, nil)
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
