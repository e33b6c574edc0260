// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster/engine/capability"
)

// MissingCaps returns the names of the capabilities that the kernel has and the
// bounding set of this process lacks ("CAP_SYS_RESOURCE"); none on a normal host.
// Where there are some, privileged containers need the runtime wrapper that Ensure
// sets up, and a containerd inside them needs restrict_oom_score_adj.
// Both facts are read from /proc (capabilities(7), cap_last_cap).
func MissingCaps() ([]string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // not Linux: the engine runs in a virtual machine of its own
	}
	if err != nil {
		return nil, fmt.Errorf("read the kernel's last capability: %w", err)
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("parse the kernel's last capability: %w", err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, fmt.Errorf("read the capability bounding set: %w", err)
	}
	bounding, err := capability.Bounding(string(status))
	if err != nil {
		return nil, err
	}
	return (capability.UpTo(last) &^ bounding).Names(), nil
}
