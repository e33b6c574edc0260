// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kernel is the kernel's log of what goes wrong in a network, and what tells
// which of it is the node's: a node in a container shows its host's log.
var Kernel = Part{"its kernel log", `cat /proc/uptime && cat /proc/1/stat && stat -Lc %i /proc/1/ns/net && [ -e /run/systemd/container -o -e /.dockerenv -o -e /run/.containerenv ] && echo container || echo machine
dmesg | grep -E 'table full|table overflow|martian (source|destination)|unregister_netdevice' | tail -n 2000`}

// KernelLog is what the kernel said of its network since the node booted.
type KernelLog struct {
	// Shared tells that the node is a container: others write the same log.
	Shared bool
	// Namespace is the inode of the node's network namespace, which the kernel
	// names itself by.
	Namespace string
	Lines     []KernelLine
}

// KernelLine is one line.
type KernelLine struct {
	// Age is how long ago it was said.
	Age  time.Duration
	Text string
}

// Kernel needs part Kernel.
func (s *State) Kernel() (KernelLog, error) {
	out, err := s.text(Kernel)
	if err != nil {
		return KernelLog{}, err
	}
	log, err := parseKernel(string(out))
	if err != nil {
		return KernelLog{}, s.unread(Kernel, err)
	}
	return log, nil
}

// ticks are the units of /proc/<pid>/stat in a second: USER_HZ, 100 on every
// architecture Kubernetes runs on.
const ticks = 100

// stamped is a line of dmesg: seconds since the machine booted and the text.
var stamped = regexp.MustCompile(`^\[\s*(\d+\.\d+)\] (.*)$`)

func parseKernel(out string) (KernelLog, error) {
	head := strings.SplitN(out, "\n", 5)
	if len(head) < 5 {
		return KernelLog{}, strconv.ErrSyntax
	}
	uptime, _, _ := strings.Cut(head[0], " ")
	now, err := strconv.ParseFloat(uptime, 64)
	if err != nil {
		return KernelLog{}, err
	}
	// Field 22 is when the process started; field 2, in brackets, may hold spaces.
	fields := strings.Fields(head[1][strings.LastIndexByte(head[1], ')')+1:])
	if len(fields) < 20 {
		return KernelLog{}, strconv.ErrSyntax
	}
	started, err := strconv.ParseFloat(fields[19], 64)
	if err != nil {
		return KernelLog{}, err
	}
	log := KernelLog{Namespace: head[2], Shared: head[3] == "container"}
	for line := range strings.Lines(head[4]) {
		m := stamped.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		// The whole seconds of a machine's first process may be past its first lines.
		if at, err := strconv.ParseFloat(m[1], 64); err == nil && (!log.Shared || at >= started/ticks) {
			log.Lines = append(log.Lines, KernelLine{time.Duration((now - at) * float64(time.Second)), m[2]})
		}
	}
	return log, nil
}
