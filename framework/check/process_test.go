// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shared is the Dir that a process started by these tests works in.
const shared = "CNIPROOF_TEST_RESULTS"

// TestMain lets the test binary play another process of the run: one that
// notes in the file "runs" that it runs the check, and, told so, never ends it.
func TestMain(m *testing.M) {
	dir := os.Getenv(shared)
	if dir == "" {
		os.Exit(m.Run())
	}
	res, err := processRunner(dir, os.Getenv("CNIPROOF_TEST_HANGS") != "").Result(context.Background(), "pod.shared")
	fmt.Println(res.Outcome, err)
}

func processRunner(dir string, hangs bool) *Runner {
	registry := new(Registry)
	c := sample("pod.shared")
	c.Run = func(ctx context.Context, env *Env) error {
		f, err := os.OpenFile(filepath.Join(dir, "runs"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		fmt.Fprintln(f, "run")
		f.Close()
		if hangs {
			fmt.Println("hanging")
			<-ctx.Done()
		}
		time.Sleep(50 * time.Millisecond)
		return nil
	}
	registry.Register(c)
	r, err := NewRunner(RunnerOptions{Registry: registry, Dir: filepath.Join(dir, "results"), Env: threeNodes})
	if err != nil {
		panic(err)
	}
	return r
}

func runs(t *testing.T, dir string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(data), "run\n")
}

func process(t *testing.T, dir string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), shared+"="+dir), env...)
	return cmd
}

func TestProcessesShareResults(t *testing.T) {
	dir := t.TempDir()
	var all []*exec.Cmd
	var outs []*strings.Builder
	for range 4 {
		cmd, out := process(t, dir), new(strings.Builder)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all, outs = append(all, cmd), append(outs, out)
	}
	for i, cmd := range all {
		if err := cmd.Wait(); err != nil || outs[i].String() != "passed <nil>\n" {
			t.Errorf("process %d: %v: %q", i, err, outs[i])
		}
	}
	if n := runs(t, dir); n != 1 {
		t.Errorf("the check ran %d times", n)
	}
	results, err := processRunner(dir, false).Results()
	if err != nil || len(results) != 1 || results[0].Outcome != Passed {
		t.Errorf("Results of another process: %v, %v", results, err)
	}
}

func TestProcessThatDiesIsReplaced(t *testing.T) {
	dir := t.TempDir()
	holder := process(t, dir, "CNIPROOF_TEST_HANGS=1")
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "hanging\n" {
		t.Fatalf("the process said %q, %v", line, err)
	}

	r := processRunner(dir, false)
	ctx, cancel := context.WithTimeout(t.Context(), 5*lockPoll)
	defer cancel()
	res, err := r.Result(ctx, "pod.shared")
	if err != nil || res.Outcome != Unknown || !strings.HasPrefix(res.Reason, "interrupted") {
		t.Errorf("while another process holds it: %+v, %v", res, err)
	}

	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	if res := result(t, r, "pod.shared"); res.Outcome != Passed {
		t.Errorf("after it died: %+v", res)
	}
	if n := runs(t, dir); n != 2 {
		t.Errorf("the check ran %d times, want 2", n)
	}
}
