// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// fullConntrack is how much of the table, in percent, leaves no headroom: the
// kernel drops the first packet of every new connection once it is full.
const fullConntrack = 95

// The connection tracking table has room for new connections. It is the node's
// own count against the limit, at one moment: how full it is is recorded, so
// that a trend shows before it fails.
//
// On a node that is a container the count is its own and the limit its host's.
//
// Turns red with: sysctl -w net.netfilter.nf_conntrack_udp_timeout=90 and a UDP
// datagram to each port of 127.9.9.1 to 127.9.9.4 (on a node, by a program: it
// makes 252 000 entries of 262 144)
var _ = check.Register(check.Check{
	ID:       "node.conntrack-headroom",
	Title:    "the connection tracking table has room",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Sysctls),
			Judge: func(s *nodestate.State) error {
				settings, err := s.Sysctls()
				if err != nil {
					return err
				}
				count, limit := settings["net/netfilter/nf_conntrack_count"], settings["net/netfilter/nf_conntrack_max"]
				if limit == 0 {
					return &check.NotApplicable{Node: s.Node.Name, Lacks: "a limit of tracked connections (nf_conntrack is not loaded, or unlimited)"}
				}
				used := 100 * float64(count) / float64(limit)
				env.Record(check.Measurement{Name: "connection tracking table", Node: s.Node.Name, Value: used, Unit: "percent"})
				if used > fullConntrack {
					return &check.Failure{
						Node: s.Node.Name, Wanted: fmt.Sprintf("at most %d %% of the table in use", fullConntrack),
						Observed: fmt.Sprintf("%d of %d entries, %.1f %%", count, limit, used),
					}
				}
				return nil
			},
		})
	},
})
