// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What "go build -v" writes when a package does not compile.
const failedBuild = `internal/goarch
k8s.io/klog/v2
golang.org/x/sys/unix
# go.etcd.io/etcd/server/v3/etcdmain
../../pkg/mod/go.etcd.io/etcd/server/v3@v3.6.8/etcdmain/etcd.go:42:2: undefined: nothing
`

func TestAFailedCommandSaysWhatItSaid(t *testing.T) {
	var packages atomic.Int64
	c := command{argv: []string{"sh", "-c", "cat; exit 3"}, stdin: strings.NewReader(failedBuild), progress: &packages}
	_, err := c.run(t.Context())
	if err == nil {
		t.Fatal("want an error, got none")
	}
	for _, want := range []string{"run sh -c 'cat; exit 3': ", "exit status 3", "# go.etcd.io/etcd/server/v3/etcdmain", "undefined: nothing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want the error to have %q, got %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "k8s.io/klog/v2") {
		t.Errorf("want no names of packages that compiled in the error, got %v", err)
	}
	if packages.Load() != 3 {
		t.Errorf("want 3 packages counted, got %d", packages.Load())
	}
}

func TestTailKeepsTheLastLines(t *testing.T) {
	var said tail
	for i := range 100 {
		said.Write([]byte("line " + strconv.Itoa(i) + "\n"))
	}
	said.Write([]byte("and no"))
	said.Write([]byte(" newline"))
	lines := strings.Split(said.String(), "\n")
	if len(lines) != tailLines+1 || lines[0] != "line 80" || lines[tailLines] != "and no newline" {
		t.Errorf(`want "line 80" to "and no newline", got %d lines %q`, len(lines), lines)
	}
}

func TestNothingOutlivesAnInterruptedCommand(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // once the grandchild runs
		for t.Context().Err() == nil {
			if text, _ := os.ReadFile(pidFile); strings.HasSuffix(string(text), "\n") {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	start := time.Now()
	_, err := command{argv: []string{"sh", "-c", "sleep 300 & echo $! >" + pidFile + "; wait"}}.run(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want the end of ctx, got %v", err)
	}
	if took := time.Since(start); took > graceful {
		t.Errorf("want a prompt end, got one after %v", took)
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("want the child's child %d to end with it, got it alive", pid)
		}
	}
}

// alive is false for a process that ended and that nobody has waited for yet.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && syscall.Kill(pid, 0) == nil
}
