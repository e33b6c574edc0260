// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The connection tracking table of one worker is full of connections that are
// established and idle, as a crawler or a scan leaves them: the kernel drops the first
// packet of every new one, and says so.
//
// The limit is the host's and shared by all its containers, while each counts its own
// connections: so the table is filled and no setting touched, and no other node nor
// the host notices. The entries are of addresses for benchmarks (RFC 2544), assured,
// since the kernel makes room at the cost of those that are not, and expire after an
// hour even if nobody heals.
var _ = scenario.Register(scenario.Scenario{
	Name:     "conntrack_full",
	Title:    "the connection tracking table of one worker is full",
	Expects:  diagnosis.ConntrackFull,
	Topology: "two-node",
	Alone:    true, // the kernel's log, which all nodes read, tells of it
	Breaks:   []string{"node.conntrack-headroom"},
	MayBreak: []string{"node", "cni", "sandbox", "pod", "service", "dns", "mtu", "egress"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		// The last insertions fail, the table being full.
		return shell(ctx, t, `max=$(sysctl -n net.netfilter.nf_conntrack_max)
[ "$max" -le 2000000 ] || { echo "a table of $max entries takes more memory than a fault may" >&2; exit 1; }
for part in 0 1; do
  awk -v max="$max" -v part=$part 'BEGIN { for (i = part; i < max; i += 2) { a = int(i / 60000); p = 1024 + i % 60000
    printf "-A -t 3600 -u SEEN_REPLY,ASSURED -s 198.18.0.%d -d 198.19.0.1 -r 198.19.0.1 -q 198.18.0.%d -p tcp --sport %d --dport 80 --reply-port-src 80 --reply-port-dst %d --state ESTABLISHED\n", a, a, p, p } }' | conntrack -R - >/dev/null 2>&1 &
done
wait
[ $(sysctl -n net.netfilter.nf_conntrack_count) -gt $((max * 98 / 100)) ]`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		return shell(ctx, t, `for i in 1 2 3 4 5; do conntrack -D -s 198.18.0.0/16 >/dev/null 2>&1 || break; done; ! conntrack -L -s 198.18.0.0/16 2>/dev/null | grep -q .`)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			t.Cluster.Access.Describe(t.Node, []string{"sysctl", "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"}),
			t.Cluster.Access.Describe(t.Node, []string{"conntrack", "-S"}),
		}
	},
})
