// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"

	"github.com/cniproof/cniproof/framework/check"
)

// Of the pods behind a Service at least one is ready, by the condition that the
// EndpointSlice controller goes by: a Service of which none is refuses every
// connection, however well the network is.
//
// What could fool it: a workload that is just being rolled out, hence the second
// look; Services with publishNotReadyAddresses do not ask for ready pods and
// are left out. One whose selector matches nothing is audit.service-selector's.
//
// Turns red with: kubectl run web --image=absent.invalid/web --expose --port=80
var _ = check.Register(check.Check{
	ID:       "audit.service-ready",
	Title:    "every Service that has pods has one that is ready",
	Level:    check.Advisory,
	NoProbes: true,
	Collects: []string{"pod-status"}, // tells apart the image, the scheduler and the application
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		services, err := backings(ctx, env)
		if err != nil {
			return err
		}
		wrong := faults{wanted: "a ready pod behind every Service that has pods"}
		for _, b := range services {
			if b.pods == 0 || b.ready > 0 || b.service.Spec.PublishNotReadyAddresses {
				continue
			}
			wrong.add("Service "+b.ref, b.waiting, fault{
				observed: fmt.Sprintf("none of its %d pods is ready (%s)", b.pods, b.waits),
				fix:      "look why with kubectl describe pod: the application, its image or its readiness probe, not the Service",
				node:     b.on,
			})
		}
		return wrong.outcome()
	},
})
