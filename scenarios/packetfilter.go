// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/framework/scenario"
)

// packetRule is an iptables rule that goes before all others of its chain on the
// victim. Its words may hold no spaces.
type packetRule struct {
	table, chain string
	// spec are match and target, e.g. -p tcp -j DROP.
	spec func(t scenario.Target) string
}

// always is a spec that depends on nothing.
func always(spec string) func(scenario.Target) string {
	return func(scenario.Target) string { return spec }
}

func (r packetRule) insert(ctx context.Context, t scenario.Target) error {
	return onNode(ctx, t, strings.Fields(fmt.Sprintf("iptables -w -t %s -I %s %s", r.table, r.chain, r.spec(t)))...)
}

// remove removes it as often as it is there: -D removes one, and insert may have
// run twice.
func (r packetRule) remove(ctx context.Context, t scenario.Target) error {
	rule := fmt.Sprintf("%s %s", r.chain, r.spec(t))
	return shell(ctx, t, fmt.Sprintf("while iptables -w -t %[1]s -C %[2]s 2>/dev/null; do iptables -w -t %[1]s -D %[2]s || exit; done", r.table, rule))
}

func (r packetRule) look(t scenario.Target) []string {
	return []string{t.Cluster.Access.Describe(t.Node, []string{"iptables", "-t", r.table, "-L", r.chain, "-v", "-n", "--line-numbers"})}
}
