// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// daemon is a process that outlives this one, in a session of its own.
type daemon struct {
	process
	log  string        // path of its output
	done chan struct{} // closed when it ended while we watch
}

// launch starts a program detached from this process and its terminal, with its
// output in <name>.log of the state directory.
func (m *machine) launch(name, program string, args ...string) (*daemon, error) {
	d := &daemon{log: filepath.Join(m.dir, name+".log"), done: make(chan struct{})}
	output, err := os.Create(d.log)
	if err != nil {
		return nil, fmt.Errorf("create the log of %s: %w", name, err)
	}
	defer output.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	// dockerd looks for containerd, runc and iptables in its PATH.
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { cmd.Wait(); close(d.done) }()
	d.process, err = lookUp(cmd.Process.Pid)
	if err != nil {
		return nil, fmt.Errorf("start %s: it ended at once: %w; it said:\n%s", name, err, d.lastWords())
	}
	return d, nil
}

// await returns once ready does. When the daemon ends before, or is not ready
// within startLimit, it stops the daemon and the error has the last lines of its log.
func (d *daemon) await(ctx context.Context, ready func() bool) error {
	bounded, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready after %v", startLimit))
	defer cancel()
	ended := errors.New("it ended")
	watched, end := context.WithCancelCause(bounded)
	defer end(nil)
	go func() {
		select {
		case <-d.done:
			end(ended)
		case <-watched.Done():
		}
	}()
	err := poll(watched, ready)
	if err == nil {
		return nil
	}
	// The caller's ctx may be what ended; a half-started daemon must go all the same.
	stopErr := d.stop(context.WithoutCancel(ctx), stopLimit)
	if ctx.Err() != nil {
		return errors.Join(fmt.Errorf("wait for %s (pid %d): %w", d.Name, d.PID, err), stopErr)
	}
	return errors.Join(fmt.Errorf("wait for %s (pid %d): %w; %s ends with:\n%s", d.Name, d.PID, err, d.log, d.lastWords()), stopErr)
}

func (d *daemon) lastWords() string {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), 10)
}

// settings returns what dockerd reads with --config-file: the host's own
// daemon.json, if it has one, with the containers' name server and the runtime
// wrapper set. (dockerd refuses a setting given both in a file and as a flag.)
func settings(hostFile []byte, resolver, wrapper string) ([]byte, error) {
	merged := map[string]any{}
	if len(hostFile) > 0 {
		if err := json.Unmarshal(hostFile, &merged); err != nil {
			return nil, fmt.Errorf("parse the host's docker settings: %w", err)
		}
	}
	if resolver != "" {
		merged["dns"] = []string{resolver}
	}
	if wrapper != "" {
		runtimes, _ := merged["runtimes"].(map[string]any)
		if runtimes == nil {
			runtimes = map[string]any{}
		}
		runtimes["runc-caps"] = map[string]string{"path": wrapper}
		merged["runtimes"], merged["default-runtime"] = runtimes, "runc-caps"
	}
	return json.MarshalIndent(merged, "", "  ")
}

// build compiles the command framework/cmd/<name> into the state directory and
// returns its path. Go's build cache makes a second build of the same source free.
func (m *machine) build(ctx context.Context, name string) (string, error) {
	path := filepath.Join(m.dir, name)
	if _, err := run(ctx, "go", "build", "-o", path+".next", "github.com/cniproof/cniproof/framework/cmd/"+name); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	// A program that runs cannot be overwritten, only replaced.
	if err := os.Rename(path+".next", path); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return path, nil
}
