// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// leastSysctls are the least values that several kind clusters on one host need:
// at the default of 128 instances a second cluster's kube-proxy fails with "too many open
// files" and its nodes never register (kind's known issues, "Pod errors due to too many open files").
var leastSysctls = []struct {
	name  string
	value int
}{
	{"fs.inotify.max_user_instances", 1024},
	{"fs.inotify.max_user_watches", 524288},
}

// sysctls raises and restores values under root, /proc/sys on a real machine.
type sysctls struct {
	root string
	log  io.Writer
}

func (s sysctls) path(name string) string {
	return filepath.Join(s.root, strings.ReplaceAll(name, ".", "/"))
}

func (s sysctls) read(name string) (int, error) {
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		return 0, fmt.Errorf("read sysctl %s: %w", name, err)
	}
	value, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("parse sysctl %s: %w", name, err)
	}
	return value, nil
}

// raise lifts every value that is too low and adds what it was to previous.
// A value that may not be written is reported on the log with the command that does it.
func (s sysctls) raise(previous map[string]string) error {
	for _, least := range leastSysctls {
		value, err := s.read(least.name)
		if errors.Is(err, os.ErrNotExist) {
			continue // not Linux: the engine runs in a virtual machine of its own
		}
		if err != nil {
			return err
		}
		if value >= least.value {
			continue
		}
		err = os.WriteFile(s.path(least.name), strconv.AppendInt(nil, int64(least.value), 10), 0)
		if errors.Is(err, os.ErrPermission) {
			fmt.Fprintf(s.log, "engine: warning: %s is %d, too low for several clusters: sudo sysctl -w %[1]s=%[3]d\n",
				least.name, value, least.value)
			continue
		}
		if err != nil {
			return fmt.Errorf("raise sysctl %s from %d to %d: %w", least.name, value, least.value, err)
		}
		previous[least.name] = strconv.Itoa(value)
		fmt.Fprintf(s.log, "engine: raised %s from %d to %d\n", least.name, value, least.value)
	}
	return nil
}

// restore puts back each previous value, unless someone changed it after raise, and forgets it.
func (s sysctls) restore(previous map[string]string) error {
	for _, least := range leastSysctls {
		old, raised := previous[least.name]
		if !raised {
			continue
		}
		value, err := s.read(least.name)
		if err != nil {
			return err
		}
		if value == least.value {
			if err := os.WriteFile(s.path(least.name), []byte(old), 0); err != nil {
				return fmt.Errorf("put sysctl %s back to %s: %w", least.name, old, err)
			}
			fmt.Fprintf(s.log, "engine: put %s back to %s\n", least.name, old)
		}
		delete(previous, least.name)
	}
	return nil
}
