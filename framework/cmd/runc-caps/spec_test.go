// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/cniproof/cniproof/framework/cluster/engine/capability"
)

// lacking is a host without CAP_SYS_RESOURCE whose shim runs at oom_score_adj 1.
var lacking = host{bounding: 0x1fffeffffff, oomScoreAdj: 1}

// The files in testdata are what docker 20.10 hands to its runtime, cut short.
func spec(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func processOf(t *testing.T, doc []byte) (process struct {
	Capabilities map[string][]string
	OOMScoreAdj  int
}) {
	t.Helper()
	var config struct{ Process json.RawMessage }
	if err := json.Unmarshal(doc, &config); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(config.Process, &process); err != nil {
		t.Fatal(err)
	}
	return process
}

func TestPrivilegedGetsWhatTheHostHas(t *testing.T) {
	edited, err := editConfig(spec(t, "privileged.json"), lacking)
	if err != nil {
		t.Fatal(err)
	}
	process := processOf(t, edited)
	for _, list := range []string{"bounding", "effective", "permitted"} {
		if got := process.Capabilities[list]; !slices.Equal(got, lacking.bounding.Names()) {
			t.Errorf("%s = %v, want the host's bounding set", list, got)
		}
	}
	if _, made := process.Capabilities["ambient"]; made {
		t.Error("an ambient list appeared that docker did not ask for")
	}
	if process.OOMScoreAdj != 1 {
		t.Errorf("oomScoreAdj = %d, want 1, the least that the host allows", process.OOMScoreAdj)
	}
}

func TestUnprivilegedIsOnlyCut(t *testing.T) {
	before := processOf(t, spec(t, "plain.json"))
	small := lacking
	small.bounding &^= 1 << 13 // CAP_NET_RAW
	edited, err := editConfig(spec(t, "plain.json"), small)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(before.Capabilities["bounding"], func(name string) bool { return name == "CAP_NET_RAW" })
	if got := processOf(t, edited).Capabilities["bounding"]; !slices.Equal(got, want) || len(got) != 13 {
		t.Errorf("bounding = %v, want %v", got, want)
	}
}

func TestEverythingElseStays(t *testing.T) {
	original := spec(t, "privileged.json")
	edited, err := editConfig(original, lacking)
	if err != nil {
		t.Fatal(err)
	}
	var before, after map[string]any
	for doc, into := range map[*[]byte]*map[string]any{&original: &before, &edited: &after} {
		if err := json.Unmarshal(*doc, into); err != nil {
			t.Fatal(err)
		}
		process := (*into)["process"].(map[string]any)
		delete(process, "capabilities")
		delete(process, "oomScoreAdj")
	}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the edit changed more than capabilities and oomScoreAdj:\n%v\n%v", before, after)
	}
}

func TestLargeNumbersStay(t *testing.T) {
	edited, err := editConfig([]byte(`{"process":{"args":["a"]},"linux":{"resources":{"memory":{"limit":9223372036854775807}}}}`), lacking)
	want := `{"linux":{"resources":{"memory":{"limit":9223372036854775807}}},"process":{"args":["a"]}}`
	if err != nil || string(edited) != want {
		t.Errorf("edited = %s, %v; want %s", edited, err, want)
	}
}

func TestOOMScoreStaysWhereItMayBeLowered(t *testing.T) {
	full := host{bounding: capability.UpTo(40), oomScoreAdj: 1}
	edited, err := editProcess([]byte(`{"oomScoreAdj":-500}`), full)
	if err != nil || string(edited) != `{"oomScoreAdj":-500}` {
		t.Errorf("edited = %s, %v; want it unchanged", edited, err)
	}
}

func TestDocument(t *testing.T) {
	shim := []string{"--root", "/var/run/docker/runtime-runc/moby", "--log", "/b/log.json", "--log-format", "json"}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"create", []string{"create", "--bundle", "/b", "--pid-file", "/b/init.pid", "id"}, "/b/config.json"},
		{"run in the working directory", []string{"run", "id"}, "config.json"},
		{"exec", []string{"exec", "--process", "/tmp/runc-process1", "--detach", "--pid-file", "/b/e.pid", "id"}, "/tmp/runc-process1"},
		{"exec with a command line", []string{"exec", "id", "ls"}, ""},
		{"start", []string{"start", "id"}, ""},
		{"features", []string{"features"}, ""},
	} {
		got, edit := document(append(slices.Clone(shim), tt.args...))
		if got != tt.want || (edit == nil) != (got == "" && tt.args[0] != "exec") {
			t.Errorf("%s: document = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestRewriteKeepsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, spec(t, "privileged.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rewrite(path, lacking, editConfig); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v; want 0600", info.Mode(), err)
	}
	edited, err := os.ReadFile(path)
	if err != nil || slices.Contains(processOf(t, edited).Capabilities["bounding"], "CAP_SYS_RESOURCE") {
		t.Errorf("the file still asks for CAP_SYS_RESOURCE (%v)", err)
	}
	left, _ := filepath.Glob(path + ".*")
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReadHost(t *testing.T) {
	proc := t.TempDir()
	for name, text := range map[string]string{"status": "CapBnd:\t000001fffeffffff\n", "oom_score_adj": "-500\n"} {
		if err := os.WriteFile(filepath.Join(proc, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readHost(proc)
	if want := (host{bounding: 0x1fffeffffff, oomScoreAdj: -500}); got != want || err != nil {
		t.Errorf("readHost = %+v, %v; want %+v", got, err, want)
	}
}
