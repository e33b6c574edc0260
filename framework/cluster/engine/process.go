// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process identifies a process for good: a pid is reused, a pid with a start time is not.
type process struct {
	PID int `json:"pid"`
	// Start is in clock ticks since boot, field 22 of proc_pid_stat(5).
	Start uint64 `json:"start"`
	// Name is the command name that the kernel keeps, field 2. It guards against
	// the same pid and tick after a reboot.
	Name string `json:"name"`
}

// lookUp returns the identity of a live process; a zombie is not alive.
func lookUp(pid int) (process, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, fmt.Errorf("look up process %d: %w", pid, err)
	}
	return parseStat(string(text))
}

func parseStat(stat string) (process, error) {
	// The name stands in parentheses and may itself contain any of them.
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("parse the process status %q: no name in parentheses", stat)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(stat[:open]))
	if err != nil {
		return process{}, fmt.Errorf("parse the process status %q: %w", stat, err)
	}
	fields := strings.Fields(stat[end+1:]) // from field 3, the state, on
	if len(fields) < 20 {
		return process{}, fmt.Errorf("parse the process status %q: wanted 22 fields, observed %d", stat, len(fields)+2)
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return process{}, fmt.Errorf("look up process %d: it has ended (state %s)", pid, state)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return process{}, fmt.Errorf("parse the start time in %q: %w", stat, err)
	}
	return process{PID: pid, Start: start, Name: stat[open+1 : end]}, nil
}

// alive reports whether this very process still runs.
func (p process) alive() bool {
	if p.PID == 0 {
		return false
	}
	now, err := lookUp(p.PID)
	return err == nil && now == p
}

// stop asks the process to end, insists after patience, and returns once it is gone.
func (p process) stop(ctx context.Context, patience time.Duration) error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if !p.alive() {
			return nil
		}
		if err := syscall.Kill(p.PID, signal); err != nil {
			return fmt.Errorf("send %v to %s (pid %d): %w", signal, p.Name, p.PID, err)
		}
		bounded, cancel := context.WithTimeout(ctx, patience)
		err := poll(bounded, func() bool { return !p.alive() })
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for %s (pid %d) to end: %w", p.Name, p.PID, context.Cause(ctx))
		}
	}
	return fmt.Errorf("stop %s (pid %d): it still runs %v after SIGKILL", p.Name, p.PID, patience)
}

// poll returns nil once done does, or the reason why ctx ended first.
func poll(ctx context.Context, done func() bool) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	return nil
}

// childrenOf returns the live children of a process.
func childrenOf(pid int) []process {
	// Each thread lists the children that it forked (CONFIG_PROC_CHILDREN).
	lists, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
	var children []process
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread ended
		}
		for _, field := range strings.Fields(string(text)) {
			number, err := strconv.Atoi(field)
			if err != nil {
				continue
			}
			if child, err := lookUp(number); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}
