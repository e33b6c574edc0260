// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/nodestate"
)

// The kernel does not complain of what breaks a network: a full connection
// tracking table, an overflowing neighbour table, packets with impossible
// addresses by the dozen, an interface it waits to be rid of.
//
// All since the node booted is counted and recorded. What fails is a complaint
// that goes on: the kernel repeats each of these every ten seconds at least
// while its cause lasts, and a table that was full last week does not break the
// network today. A node that is a container shows the log of its host, which
// other nodes and others altogether write to: there only lines count that name
// the node's network namespace or an address of its own, or are of a table that
// the host's kernel has only one of.
//
// Turns red with: for i in $(seq 25); do echo "<4>IPv4: martian source
// <InternalIP> from 10.9.9.9, on dev eth0" > /dev/kmsg; done (on a node)
var _ = check.Register(check.Check{
	ID:       "node.kernel-log",
	Title:    "the node's kernel complains of no network error",
	Level:    check.Required,
	NoProbes: true,
	Run: func(ctx context.Context, env *check.Env) error {
		return nodestate.Ask(ctx, env, nodestate.Question{
			Parts: nodestate.Parts(nodestate.Kernel),
			Judge: func(s *nodestate.State) error {
				log, err := s.Kernel()
				if err != nil {
					return err
				}
				return complains(env, s, log)
			},
		})
	},
})

// complaint is a thing kernels say, and how often it must be said to matter.
type complaint struct {
	what string
	says *regexp.Regexp
	// global tells that it is of something all containers of a host share.
	global bool
	// flood is how many in the time that matters are a failure.
	flood int
}

// The wordings are from net/netfilter/nf_conntrack_core.c, net/core/neighbour.c,
// net/ipv4/route.c and net/core/dev.c. One martian is a stray packet.
var complaints = []complaint{
	{what: "full connection tracking table", says: regexp.MustCompile(`nf_conntrack: table full(?: in netns (\d+))?`), flood: 1},
	{what: "overflowing neighbour table", says: regexp.MustCompile(`neighbou?r: \S+: neighbor table overflow`), global: true, flood: 1},
	{what: "flood of martian packets", says: regexp.MustCompile(`martian (?:source|destination) (\S+) from (\S+?),`), flood: 20},
	{what: "interface that cannot be freed", says: regexp.MustCompile(`unregister_netdevice: waiting for \S+ to become free`), flood: 2},
}

func complains(env *check.Env, s *nodestate.State, log nodestate.KernelLog) error {
	lasting := config.DefaultTimeouts().Complaint
	var errs []error
	for _, c := range complaints {
		all, recent, last := 0, 0, ""
		for _, line := range log.Lines {
			m := c.says.FindStringSubmatch(line.Text)
			if m == nil || log.Shared && !c.global && !ours(env, s, log.Namespace, m[1:]) {
				continue
			}
			all++
			if line.Age <= lasting {
				recent++
				last = line.Text
			}
		}
		if all > 0 {
			env.Record(check.Measurement{Name: "kernel log: " + c.what, Node: s.Node.Name, Value: float64(all), Unit: "count"})
		}
		if recent >= c.flood {
			errs = append(errs, &check.Failure{
				Node: s.Node.Name, Wanted: "no " + c.what,
				Observed: fmt.Sprintf("%d complaints of the kernel in the last %s, %d since the node booted: %s", recent, lasting, all, last),
			})
		}
	}
	return errors.Join(errs...)
}

// ours tells whether one of the words the kernel said is the node's network
// namespace, or an address of the node or of its pods.
func ours(env *check.Env, s *nodestate.State, namespace string, words []string) bool {
	for _, w := range words {
		if w == namespace {
			return true
		}
		for _, own := range s.Node.InternalIPs {
			if w == own.String() {
				return true
			}
		}
		if a, err := netip.ParseAddr(w); err == nil && inside(s.Node.PodCIDRs, a) {
			return true
		}
	}
	return false
}
