// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/target"
)

// A policy that allows egress to a block of addresses but for an exception lets
// a pod out to an address of the block, and one whose policy excepts that very
// address stops it.
//
// The address is one outside the cluster: what an ipBlock means for pods'
// addresses is up to the CNI (Cilium: it does not select pods), and targets that
// are names have no address here. What could fool it: a CNI that sees traffic
// only after it was given another destination.
//
// Turns red with: cilium-dbg config PolicyEnforcement=never (in the agent of a
// node, once policy.default-deny-egress has passed)
var _ = check.Register(check.Check{
	ID:       "policy.ip-block-except",
	Title:    "a policy lets out to a block of addresses, but for its exceptions",
	Level:    check.Required,
	Requires: []string{"policy.default-deny-egress", "egress.tcp"},
	Waits:    true,
	Attempt:  config.DefaultTimeouts().PodChurn,
	Run: func(ctx context.Context, env *check.Env) error {
		if err := enforces(env); err != nil {
			return err
		}
		for _, text := range env.EgressTargets {
			to, err := target.Parse(text)
			if err != nil || to.Scheme != target.TCP {
				continue
			}
			at, err := netip.ParseAddrPort(to.Address)
			nodes := one(env, "ip-block")
			if err != nil || len(nodes) == 0 || !fleet.SameFamily(env.Pods[nodes[0]], at.Addr().String()) {
				continue
			}
			return errors.Join(block(at, netip.Addr{}).run(ctx, env), block(at, at.Addr()).run(ctx, env))
		}
		return &check.NotApplicable{Lacks: "a target outside the cluster given by its address; name one with -egress-target address:port"}
	},
})

// block is a policy for the target's neighbourhood, but for except where that is
// an address.
func block(to netip.AddrPort, except netip.Addr) experiment {
	allowed := &networkingv1.IPBlock{CIDR: netip.PrefixFrom(to.Addr(), to.Addr().BitLen()-8).Masked().String()}
	name := "ip-block"
	if except.IsValid() {
		name, allowed.Except = "ip-except", []string{netip.PrefixFrom(except, except.BitLen()).String()}
	}
	return experiment{
		name: name, nodes: one,
		policy: func(*lab) networkingv1.NetworkPolicySpec {
			return networkingv1.NetworkPolicySpec{
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
				Egress:      []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{IPBlock: allowed}}}},
			}
		},
		table: func(l *lab) []row {
			pod := l.pods[0]
			return []row{{
				from: pod, node: pod.Node, open: !except.IsValid(), what: "connect from " + pod.Namespace + "/" + pod.Name + " to " + to.String(),
				job: job.Job{Kind: job.Connect, Address: to.String()},
			}}
		},
	}
}
