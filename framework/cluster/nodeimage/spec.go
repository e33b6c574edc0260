// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"encoding/json"
	"fmt"
)

// containerSpec returns the specification that containers in the nodes start from,
// as kind's Dockerfile makes it of containerd's default with jq.
func containerSpec(ctx context.Context, ctr string) ([]byte, error) {
	text, err := command{argv: []string{ctr, "oci", "spec"}}.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask containerd for its container specification: %w", err)
	}
	return withProductFiles([]byte(text))
}

// withProductFiles adds kind's hook, which gives each node a product UUID of its
// own, and leaves resource limits to the node.
func withProductFiles(text []byte) ([]byte, error) {
	var spec map[string]any
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, fmt.Errorf("parse containerd's container specification: %w", err)
	}
	process, ok := spec["process"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("read containerd's container specification: it has no process")
	}
	delete(process, "rlimits")
	hooks, _ := spec["hooks"].(map[string]any)
	if hooks == nil {
		hooks = map[string]any{}
	}
	present, _ := hooks["createContainer"].([]any)
	hooks["createContainer"] = append(present, map[string]any{"path": "/kind/bin/mount-product-files.sh"})
	spec["hooks"] = hooks
	return json.MarshalIndent(spec, "", "  ")
}
