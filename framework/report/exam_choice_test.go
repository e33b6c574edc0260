// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"testing"

	"github.com/cniproof/cniproof/framework/scenario"
)

// TestTopologies wants the default topology first, however few scenarios have it, and
// that of most next.
func TestTopologies(t *testing.T) {
	var all []scenario.Scenario
	for _, topology := range []string{"cilium", "two-node", "default", "cilium", "two-node", "two-node"} {
		all = append(all, scenario.Scenario{Topology: topology})
	}
	if got := topologies(all); !slices.Equal(got, []string{"default", "two-node", "cilium"}) {
		t.Errorf("observed %v", got)
	}
}
