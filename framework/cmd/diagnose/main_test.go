// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// event is what the kubelet says of a node without a CNI configuration.
const event = `Warning  NetworkNotReady  2m  kubelet, node1  network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized` + "\n"

func diagnose(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":             {[]string{"-h"}, exitRead, "Exit codes"},
		"no path":          {nil, exitUsage, "no path given"},
		"unknown flag":     {[]string{"-x"}, exitUsage, "usage: diagnose"},
		"batch, not JSON":  {[]string{"-batch"}, exitUsage, "-batch needs -json"},
		"batch with paths": {[]string{"-json", "-batch", "x"}, exitUsage, "takes no paths"},
	} {
		if code, _, says := diagnose(t, "", c.args...); code != c.code || !strings.Contains(says, c.says) {
			t.Errorf("%s: exit %d, %q; wanted %d and %q", name, code, says, c.code, c.says)
		}
	}
}

func TestUnreadableInput(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "binary")
	if err := os.WriteFile(binary, []byte("\x7fELF\x00\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, says string }{
		"missing":      {filepath.Join(dir, "no"), "no such file"},
		"binary":       {binary, "not text"},
		"empty stdin":  {"-", "empty"},
		"empty folder": {t.TempDir(), "no files"},
	} {
		if code, out, says := diagnose(t, "", c.path); code != exitUnreadable || !strings.Contains(says, c.says) || out != "" {
			t.Errorf("%s: exit %d, %q %q", name, code, out, says)
		}
	}
}

func TestWhatCanBeReadIsDiagnosed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kubelet.log"), []byte(event), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, says := diagnose(t, "", "-json", dir, filepath.Join(dir, "missing"))
	if code != exitRead || !strings.Contains(says, "missing") {
		t.Errorf("exit %d, %q", code, says)
	}
	var report struct {
		Findings []struct {
			Code       string
			Confidence float64
			Title      string
			Evidence   []struct {
				File string
				Line int
				Text string
			}
			Fix []string
		}
		Unknown any
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	top := report.Findings[0]
	if top.Code != "CNI_CONFIG_MISSING" || top.Evidence[0].Line != 1 || top.Evidence[0].Text != strings.TrimSpace(event) || len(top.Fix) == 0 || report.Unknown != nil {
		t.Errorf("%+v", report)
	}
}

func TestTextForAPerson(t *testing.T) {
	_, out, _ := diagnose(t, event, "-")
	for _, wanted := range []string{"CNI_CONFIG_MISSING (95 %)", "-:1\n", "what to do:", "spec.nodeName=node1", "what would refute it:"} {
		if !strings.Contains(out, wanted) {
			t.Errorf("no %q in:\n%s", wanted, out)
		}
	}
	if _, out, _ = diagnose(t, "Normal  Scheduled  1s  default-scheduler  Successfully assigned default/web to node1\n", "-"); !strings.HasPrefix(out, "UNKNOWN\n") || !strings.Contains(out, "what would tell more:") {
		t.Errorf("unknown is:\n%s", out)
	}
}

func TestBatchAnswersEachLine(t *testing.T) {
	line := func(id, text string) string {
		data, err := json.Marshal(map[string]any{"id": id, "text": text})
		if err != nil {
			t.Fatal(err)
		}
		return string(data) + "\n"
	}
	code, out, _ := diagnose(t, line("a", event)+"\n"+line("b", "Back-off pulling image \"x:nope\""), "-json", "-batch")
	answers := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitRead || len(answers) != 2 {
		t.Fatalf("exit %d, %d answers: %s", code, len(answers), out)
	}
	if !strings.HasPrefix(answers[0], `{"id":"a","findings":[{"code":"CNI_CONFIG_MISSING"`) || !strings.HasPrefix(answers[1], `{"id":"b","findings":[{"code":"NOT_NETWORK_IMAGE_PULL"`) {
		t.Errorf("%s", out)
	}
	code, out, says := diagnose(t, "not json\n"+line("c", event), "-json", "-batch")
	answers = strings.Split(strings.TrimSpace(out), "\n")
	if code != exitUnreadable || len(answers) != 2 || !strings.Contains(answers[0], `"error":"line 1`) || !strings.Contains(answers[1], `"id":"c"`) || !strings.Contains(says, "line 1") {
		t.Errorf("exit %d: %s %s", code, out, says)
	}
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"id":1,"text":"cni plugin not initialized"}`))
	f.Add([]byte("{\"id\":null}\n[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		_ = answer(bytes.NewReader(data), &out)
		for _, line := range bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n")) {
			if len(line) > 0 && !json.Valid(line) {
				t.Errorf("an answer is no JSON: %s", line)
			}
		}
	})
}
