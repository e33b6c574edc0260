// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// capNames are the names of the capabilities by number, from the kernel's
// include/uapi/linux/capability.h.
var capNames = strings.Fields(`
	CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID
	CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER
	CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
	CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP
	CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ
	CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)

// firstUnknown is the first capability that engines of Debian's age (docker 20.10) do not know by name.
const firstUnknown = "CAP_PERFMON"

// host is what a process started here can be given.
type host struct {
	bounding    []string // names of the capability bounding set
	oomScoreAdj int      // this process's own: always allowed
}

// readHost reads it from proc, the /proc directory of this process.
func readHost(proc string) (host, error) {
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return host{}, fmt.Errorf("read the capability bounding set: %w", err)
	}
	bounding, err := boundingSet(string(status))
	if err != nil {
		return host{}, err
	}
	text, err := os.ReadFile(filepath.Join(proc, "oom_score_adj"))
	if err != nil {
		return host{}, fmt.Errorf("read oom_score_adj: %w", err)
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return host{}, fmt.Errorf("parse oom_score_adj: %w", err)
	}
	return host{bounding: bounding, oomScoreAdj: score}, nil
}

// boundingSet returns the names behind the CapBnd line of a /proc/<pid>/status text.
func boundingSet(status string) ([]string, error) {
	for line := range strings.Lines(status) {
		hex, ok := strings.CutPrefix(line, "CapBnd:")
		if !ok {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("parse the capability bounding set: %w", err)
		}
		var names []string
		for bit, name := range capNames {
			if mask&(1<<bit) != 0 {
				names = append(names, name)
			}
		}
		return names, nil
	}
	return nil, fmt.Errorf("find CapBnd in the process status: no such line")
}

// fit returns the part of list that the host can grant. A list that already has
// everything an engine can name is a privileged container's and means "all": it
// becomes the whole bounding set, newer capabilities included.
func (h host) fit(list []string) []string {
	if h.isAll(list) {
		return h.bounding
	}
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool {
		return !slices.Contains(h.bounding, name)
	})
}

func (h host) isAll(list []string) bool {
	for _, name := range capNames {
		if name == firstUnknown {
			return true
		}
		if slices.Contains(h.bounding, name) && !slices.Contains(list, name) {
			return false
		}
	}
	return true
}
