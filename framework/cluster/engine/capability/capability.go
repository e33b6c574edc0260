// SPDX-License-Identifier: Apache-2.0

// Package capability reads which Linux capabilities a process may ever hold.
// It depends on the standard library alone, because the OCI runtime wrapper
// runc-caps shares it with the engine. It changes nothing: setting capabilities
// is the runtime's work.
package capability

import (
	"fmt"
	"strconv"
	"strings"
)

// names are the capabilities by number, from include/uapi/linux/capability.h of Linux 6.12.
var names = strings.Fields(`
	CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID
	CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER
	CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
	CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP
	CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ
	CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)

// Set is a capability set as the kernel prints it: bit n stands for capability n.
type Set uint64

// UpTo returns the set of all capabilities from 0 to last.
func UpTo(last int) Set {
	return Set(1)<<(last+1) - 1
}

// Bounding returns the bounding set in status, the text of /proc/<pid>/status (proc(5), CapBnd).
func Bounding(status string) (Set, error) {
	for line := range strings.Lines(status) {
		hex, ok := strings.CutPrefix(line, "CapBnd:")
		if !ok {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		if err != nil {
			return 0, fmt.Errorf("parse the capability bounding set: %w", err)
		}
		return Set(mask), nil
	}
	return 0, fmt.Errorf("find the capability bounding set: no CapBnd line in the process status")
}

// Names returns the capabilities of s by name, in numeric order. One that is newer
// than this table is called by its number, "CAP_41".
func (s Set) Names() []string {
	var out []string
	for n := range 64 {
		switch {
		case s&(1<<n) == 0:
		case n < len(names):
			out = append(out, names[n])
		default:
			out = append(out, fmt.Sprintf("CAP_%d", n))
		}
	}
	return out
}
