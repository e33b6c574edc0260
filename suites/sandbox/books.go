// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/ipam"
	"github.com/cniproof/cniproof/framework/sandbox"
)

// books are the addresses of pods of a check and who held them in the CNI's
// address management while the pods ran.
type books struct {
	held map[string]ipam.Leases // by node
	err  error
}

// openBooks reads the books while the pods run. An address that is not in them
// means that they are not the ones the CNI keeps, and then nothing can be told
// by them.
func openBooks(ctx context.Context, env *check.Env, pods []sandbox.State) books {
	b := books{held: map[string]ipam.Leases{}}
	for _, s := range pods {
		b.held[s.Node] = ipam.Leases{}
	}
	var leases map[string]ipam.Leases
	leases, b.err = ipam.Read(ctx, env.Cluster, slices.Sorted(maps.Keys(b.held))...)
	for _, s := range pods {
		on, ok := leases[s.Node]
		if !ok {
			continue
		}
		for _, ip := range s.Pod.Status.PodIPs {
			addr, _ := netip.ParseAddr(ip.IP)
			if holder, ok := on[addr]; ok {
				b.held[s.Node][addr] = holder
				continue
			}
			b.err = errors.Join(b.err, fmt.Errorf("%w: %s of %s on %s is not in what was read, so it is not the one in use", ipam.ErrUnknown, addr, s.Ref(), s.Node))
		}
	}
	return b
}

// kept is the outcome of the books after the pods were deleted: a failure for
// addresses still held by whoever held them for these pods. An address that
// somebody else holds by now was given back. It looks again for a while: some
// CNIs close their books after the pod is gone.
func (b books) kept(ctx context.Context, env *check.Env) error {
	if errors.Is(b.err, ipam.ErrUnknown) {
		return nil
	}
	outcome := b.compare(ctx, env)
	if outcome == nil {
		return nil
	}
	_ = wait.PollUntilContextTimeout(ctx, lookAgain, env.Timeouts.SandboxSettle, false, func(ctx context.Context) (bool, error) {
		// A look that was cut short says less than the one before.
		if latest := b.compare(ctx, env); ctx.Err() == nil {
			outcome = latest
		}
		return outcome == nil, nil
	})
	return outcome
}

// lookAgain is how long kept waits before it looks again.
const lookAgain = 500 * time.Millisecond

// compare is the outcome of the books as they are now.
func (b books) compare(ctx context.Context, env *check.Env) error {
	leases, err := ipam.Read(ctx, env.Cluster, slices.Sorted(maps.Keys(b.held))...)
	err = errors.Join(b.err, err)
	var errs []error
	for node, held := range b.held {
		if leases[node] == nil {
			errs = append(errs, &check.Inconclusive{Node: node, Why: "the address management could not be read", Err: err})
			continue
		}
		var leaked []string
		for addr, holder := range held {
			if now, ok := leases[node][addr]; ok && now == holder {
				leaked = append(leaked, fmt.Sprintf("%s (held by %s)", addr, holder))
			}
		}
		if len(leaked) > 0 {
			slices.Sort(leaked)
			errs = append(errs, &check.Failure{
				Node: node, Wanted: fmt.Sprintf("the addresses of %d deleted pods given back", len(held)),
				Observed: fmt.Sprintf("%d still leased: %s", len(leaked), strings.Join(leaked, ", ")),
			})
		}
	}
	return errors.Join(errs...)
}

// serving are the pods that run and have an address, and the outcome for the
// others: that they do is another check's claim.
func serving(states []sandbox.State) ([]sandbox.State, error) {
	var pods []sandbox.State
	var errs []error
	for _, s := range states {
		if sandbox.Serving(s) {
			pods = append(pods, s)
			continue
		}
		why := "the pod to be deleted did not start"
		if t, ok := s.Trouble(); ok {
			why += ": " + t.String()
		}
		errs = append(errs, &check.Inconclusive{Node: s.Node, Why: why, Err: s.Refused})
	}
	return pods, errors.Join(errs...)
}
