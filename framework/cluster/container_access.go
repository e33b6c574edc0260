// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
)

// containerAccess runs commands in the nodes of a kind cluster, containers of the
// local engine.
type containerAccess struct {
	shellAccess
	// cluster is the name kind knows it by.
	cluster string
	// ids maps node names to container IDs: a container that was replaced by
	// another of the same name is not the node that was connected to.
	ids map[string]string
}

var _ NodeAccess = containerAccess{}

func newContainerAccess(cluster string, ids map[string]string) containerAccess {
	open := func(_ context.Context, node string) (*shell, error) {
		id, ok := ids[node]
		if !ok {
			return nil, fmt.Errorf("there is no container of this node")
		}
		return startShell(exec.Command("docker", "exec", "--interactive", id, "sh"))
	}
	return containerAccess{shellAccess{open, &shells{}}, cluster, ids}
}

func (a containerAccess) Describe(node string, argv []string) string {
	return "docker exec " + node + " " + quoted(argv)
}

// nodes are the names of the nodes.
func (a containerAccess) nodes() []string { return slices.Collect(maps.Keys(a.ids)) }
