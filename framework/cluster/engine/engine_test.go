// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestIsDebian(t *testing.T) {
	for _, tt := range []struct {
		name, release string
		want          bool
	}{
		{"Debian 12", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n", true},
		{"Ubuntu 24.04", "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n", true},
		{"Mint", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", true},
		{"Fedora", "NAME=\"Fedora Linux\"\nID=fedora\nVERSION_ID=41\n", false},
		{"a name that mentions it", "NAME=\"not debian\"\nID=other\n", false},
	} {
		if got := isDebian(tt.release); got != tt.want {
			t.Errorf("%s: isDebian = %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestExecStart(t *testing.T) {
	value := "{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS ; " +
		"ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }"
	got, err := execStart(value)
	if want := "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"; got != want || err != nil {
		t.Errorf("execStart = %q, %v; want %q", got, err, want)
	}
	if _, err := execStart(""); err == nil {
		t.Error("no error for a unit without ExecStart")
	}
}

func TestSettingsKeepTheHostsOwn(t *testing.T) {
	host := `{"storage-driver": "overlay2", "dns": ["192.0.2.53"], "runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}`
	text, err := settings([]byte(host), resolverAddress, "/cache/runc-caps")
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	json.Unmarshal([]byte(`{"storage-driver": "overlay2", "dns": ["169.254.11.53"], "default-runtime": "runc-caps",
		"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}, "runc-caps": {"path": "/cache/runc-caps"}}}`), &want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings = %s", text)
	}
	if text, err := settings(nil, "", ""); err != nil || string(text) != "{}" {
		t.Errorf("settings of an ordinary host = %s, %v; want {}", text, err)
	}
	if _, err := settings([]byte("{"), "", ""); err == nil {
		t.Error("no error for settings that do not parse")
	}
}

func TestSysctlsAreRaisedAndPutBack(t *testing.T) {
	s := sysctls{root: t.TempDir(), log: io.Discard}
	set := func(name, value string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path(name), []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wanted := func(name string, want int) {
		t.Helper()
		if got, err := s.read(name); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", name, got, err, want)
		}
	}
	const instances, watches = "fs.inotify.max_user_instances", "fs.inotify.max_user_watches"
	set(instances, "128")
	set(watches, "1048576")
	previous := map[string]string{}
	for range 2 { // the second must not take the raised value for the previous one
		if err := s.raise(previous); err != nil {
			t.Fatal(err)
		}
	}
	wanted(instances, 1024)
	wanted(watches, 1048576)
	if err := s.restore(previous); err != nil {
		t.Fatal(err)
	}
	wanted(instances, 128)
	wanted(watches, 1048576)

	if err := s.raise(previous); err != nil {
		t.Fatal(err)
	}
	set(instances, "4096")
	if err := s.restore(previous); err != nil {
		t.Fatal(err)
	}
	wanted(instances, 4096) // someone else's value by now
}

func TestRecordSurvivesAndIsLocked(t *testing.T) {
	t.Setenv("CNIPROOF_HOME", t.TempDir())
	dir, unlock, err := openDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	saved := record{Dockerd: process{PID: 7, Start: 42, Name: "dockerd"}, Sysctls: map[string]string{"a.b": "1"}}
	if err := saved.save(dir); err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 2*pollInterval)
	defer cancel()
	if _, _, err := openDir(impatient); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second holder of the lock got %v, want a deadline error", err)
	}
	unlock()
	dir, unlock, err = openDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	var loaded record
	if err := loaded.load(dir); err != nil || !reflect.DeepEqual(loaded, saved) {
		t.Errorf("loaded %+v, %v; want %+v", loaded, err, saved)
	}
}

func TestRunReportsCommandStatusAndLastLines(t *testing.T) {
	_, err := run(t.Context(), "sh", "-c", "seq 9 >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "exit status 3: 5\n6\n7\n8\n9") {
		t.Errorf("error = %v, want the status and the last five lines", err)
	}
	if _, err := run(t.Context(), "no-such-program"); err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("error = %v, want the program's name", err)
	}
}

func TestRefuseNames(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- RefuseNames(ctx, address) }()
	bounded, stop := context.WithTimeout(t.Context(), interruptLimit)
	defer stop()
	if err := poll(bounded, func() bool { return refuses(bounded, address) }); err != nil {
		t.Errorf("no REFUSED from %s: %v", address, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("RefuseNames = %v after its context ended, want nil", err)
	}
}

func TestAwaitQuotesADaemonThatEnds(t *testing.T) {
	m := &machine{dir: t.TempDir(), log: new(bytes.Buffer)}
	d, err := m.launch("broken", "/bin/sh", "-c", "echo cannot mount cgroup; read wait </dev/zero; exit 1")
	if err != nil {
		t.Fatal(err)
	}
	defer d.stop(context.WithoutCancel(t.Context()), interruptLimit)
	said := func() bool { return strings.Contains(d.lastWords(), "cgroup") }
	if err := poll(t.Context(), said); err != nil {
		t.Fatal(err)
	}
	if err := d.process.stop(t.Context(), interruptLimit); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err = d.await(t.Context(), func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "cannot mount cgroup") {
		t.Errorf("await = %v, want the last lines of the log", err)
	}
	if took := time.Since(start); took > interruptLimit {
		t.Errorf("await noticed the end after %v", took)
	}
}

func TestStopInsists(t *testing.T) {
	m := &machine{dir: t.TempDir(), log: new(bytes.Buffer)}
	d, err := m.launch("stubborn", "/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
	if err != nil {
		t.Fatal(err)
	}
	if err := poll(t.Context(), func() bool { return d.lastWords() == "ready" }); err != nil {
		t.Fatal(err)
	}
	other := d.process
	other.Start++
	if other.alive() {
		t.Error("a process with another start time counts as alive: a reused pid would be stopped")
	}
	if err := d.process.stop(t.Context(), 2*pollInterval); err != nil || d.alive() {
		t.Errorf("stop = %v, alive = %t", err, d.alive())
	}
}

func TestParseStat(t *testing.T) {
	tail := " 1 6827 6827 0 -1 1077936384 8512 21233 31 46 61 41 27 12 20 0 14 0 164553 1955368960 23412 18446744073709551615 1 1 0 0 0 0 1002060288 0 2143420159 0 0 0 17 1 0 0 0 0 0\n"
	got, err := parseStat("6827 (dockerd) S" + tail)
	if want := (process{PID: 6827, Start: 164553, Name: "dockerd"}); got != want || err != nil {
		t.Errorf("parseStat = %+v, %v; want %+v", got, err, want)
	}
	if got, err := parseStat("6827 (a) b) S" + tail); got.Name != "a) b" || err != nil {
		t.Errorf("parseStat of a name with parentheses = %+v, %v", got, err)
	}
	if _, err := parseStat("6827 (dockerd) Z" + tail); err == nil {
		t.Error("a zombie counts as alive")
	}
}

func TestChildrenOf(t *testing.T) {
	m := &machine{dir: t.TempDir(), log: new(bytes.Buffer)}
	d, err := m.launch("child", "/bin/sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	defer d.stop(context.WithoutCancel(t.Context()), interruptLimit)
	if children := childrenOf(os.Getpid()); !slices.Contains(children, d.process) {
		t.Errorf("children of %s = %+v, want %+v among them", strconv.Itoa(os.Getpid()), children, d.process)
	}
}
