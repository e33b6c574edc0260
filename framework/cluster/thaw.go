// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"io/fs"
	"os"
	"path/filepath"
)

// freezer is where cgroup v1 has the containers of this machine's engine.
const freezer = "/sys/fs/cgroup/freezer/docker"

// thaw lets the processes of a container die. runc freezes the containers that it
// kills, and leaves them so when it is killed meanwhile, as where a node's runtime is
// restarted: on cgroup v1 no signal reaches a frozen process, so that docker cannot
// remove the node it is in (the kernel's cgroup-v1/freezer-subsystem.rst). Without
// cgroup v1 here, or without the right to write, it does nothing.
func thaw(container string) {
	_ = filepath.WalkDir(filepath.Join(freezer, container), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "freezer.state" {
			_ = os.WriteFile(path, []byte("THAWED"), 0)
		}
		return nil
	})
}
