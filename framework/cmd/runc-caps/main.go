// SPDX-License-Identifier: Apache-2.0

// Command runc-caps stands in front of runc on a host whose capability bounding
// set is not full. There runc fails a privileged container with "unable to apply
// caps: operation not permitted", because the engine asks for every capability it
// has ever heard of. runc-caps rewrites the capability lists of the container's
// config.json (create, run, restore) or of the process.json (exec) to what this
// host can grant, and becomes runc.
//
// The engine package builds it and makes it the default runtime of the engine
// that it starts. It is not for hosts with a full set, and it never grants a
// container a capability that its configuration did not mean to give.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "runc-caps: %v\n", err)
		os.Exit(1)
	}
}

// run rewrites the document that args point at and replaces this process by runc.
// It returns only on failure.
func run(args []string) error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		// A shim may run with a PATH that lacks the sbin directory of Debian's runc.
		runc = "/usr/sbin/runc"
	}
	host, err := readHost("/proc/self")
	if err != nil {
		return err
	}
	if path, edit := document(args); path != "" {
		if err := rewrite(path, host, edit); err != nil {
			return err
		}
	}
	return fmt.Errorf("run %s: %w", runc, syscall.Exec(runc, append([]string{runc}, args...), os.Environ()))
}

// document names the file that holds the capabilities of the process that runc is
// about to start, and how to edit it. The path is empty for commands that start none.
// The flags are runc(8)'s in their long form, the only one that containerd's go-runc writes.
func document(args []string) (string, editor) {
	for i, arg := range args {
		switch arg {
		case "create", "run", "restore":
			bundle := flagValue(args[i+1:], "--bundle")
			if bundle == "" {
				bundle = "."
			}
			return filepath.Join(bundle, "config.json"), editConfig
		case "exec":
			return flagValue(args[i+1:], "--process"), editProcess
		}
	}
	return "", nil
}

func flagValue(args []string, name string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, name+"="); ok {
			return value
		}
		if arg == name && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// rewrite edits the file in place, through a rename so that no reader sees half of it.
func rewrite(path string, h host, edit editor) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the capabilities of the process to start: %w", err)
	}
	edited, err := edit(old, h)
	if err != nil {
		return fmt.Errorf("edit %s: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("keep the mode of %s: %w", path, err)
	}
	next := path + ".runc-caps"
	if err := os.WriteFile(next, edited, info.Mode().Perm()); err != nil {
		return fmt.Errorf("write the edited %s: %w", path, err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}
