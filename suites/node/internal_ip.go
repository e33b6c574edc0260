// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// Each InternalIP the API server has of a node is on one of the node's
// interfaces. CNIs send pod packets there; after a node's address changed (DHCP,
// a moved machine, a wrong --node-ip) they go nowhere or to somebody else, while
// the kubelet still reports Ready because it is the one that connects.
//
// Turns red with: ip addr del <InternalIP>/16 dev eth0 (on a node; ip addr add
// puts it back)
var _ = check.Register(check.Check{
	ID:       "node.internal-ip",
	Title:    "the node's InternalIP is an address of the node",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		nodes, err := registered(ctx, env)
		if err != nil {
			return err
		}
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Links),
			Judge: func(s *nodestate.State) error {
				links, err := s.Links()
				if err != nil {
					return err
				}
				ips := internalIPs(nodes[s.Node.Name])
				if len(ips) == 0 {
					return &check.Failure{Node: s.Node.Name, Wanted: "an InternalIP", Observed: "the API server has none of this node"}
				}
				var errs []error
				for _, ip := range ips {
					if nodestate.Holder(links, ip) == nil {
						errs = append(errs, &check.Failure{Node: s.Node.Name, Wanted: fmt.Sprintf("InternalIP %s on an interface of the node", ip), Observed: "it has " + addresses(links)})
					}
				}
				return errors.Join(errs...)
			},
		})
	},
})

// addresses are those of the interfaces that reach beyond the node, for people.
func addresses(links []nodestate.Link) string {
	var words []string
	for _, l := range links {
		for _, p := range l.Addrs {
			if a := p.Addr(); !a.IsLoopback() && !a.IsLinkLocalUnicast() && a != (netip.Addr{}) {
				words = append(words, p.String()+" on "+l.Name)
			}
		}
	}
	if len(words) == 0 {
		return "no address beyond loopback"
	}
	return strings.Join(words, ", ")
}
