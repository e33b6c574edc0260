// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/cniproof/cniproof/framework/check"
)

// The selector of every Service matches a pod. It compares labels as the
// EndpointSlice controller does; pods that have ended do not count.
//
// What could fool it: a workload that was scaled to nothing on purpose; the
// Service then has no backend just the same. A Service without a selector has
// its endpoints from elsewhere and is left out.
//
// Turns red with: kubectl create service clusterip typo --tcp=80
var _ = check.Register(check.Check{
	ID:       "audit.service-selector",
	Title:    "the selector of every Service matches a pod",
	Level:    check.Advisory,
	NoProbes: true,
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		services, err := backings(ctx, env)
		if err != nil {
			return err
		}
		wrong := faults{wanted: "the selector of every Service to match a pod"}
		for _, b := range services {
			if b.pods > 0 {
				continue
			}
			wrong.add("Service "+b.ref, "", fault{
				observed: fmt.Sprintf("its selector %s matches no pod", labels.Set(b.service.Spec.Selector)),
				fix:      "give its pods these labels, correct spec.selector, or scale the workload up",
			})
		}
		return wrong.outcome()
	},
})
