// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
)

// known is how long pods wait before they ask for a Service that was just made.
// Servers learn of it by a watch, and an answer from before would be remembered
// as a name that does not exist, for half a minute where a cache is set up so.
const known = 300 * time.Millisecond

// meta is that of an object of the check's own, with a name that none had.
func meta(env *check.Env, purpose string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: env.Namespace, Name: purpose + "-" + rand.String(5),
		Labels: map[string]string{workloads.RunLabel: env.RunID, workloads.ManagedByLabel: workloads.ManagedBy},
	}
}

// makeService creates the Service and has it removed after the attempt.
func makeService(ctx context.Context, env *check.Env, service *corev1.Service) error {
	services := env.Cluster.Client.CoreV1().Services(env.Namespace)
	if _, err := services.Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return &check.Inconclusive{Why: "a Service of the check's own could not be created", Err: err}
	}
	env.Cleanup("Service "+service.Name, func(ctx context.Context) error {
		return services.Delete(ctx, service.Name, metav1.DeleteOptions{})
	})
	return nil
}

// makeSlice creates the EndpointSlice and has it removed after the attempt.
func makeSlice(ctx context.Context, env *check.Env, slice *discoveryv1.EndpointSlice) error {
	slices := env.Cluster.Client.DiscoveryV1().EndpointSlices(env.Namespace)
	if _, err := slices.Create(ctx, slice, metav1.CreateOptions{}); err != nil {
		return &check.Inconclusive{Why: "an EndpointSlice of the check's own could not be created", Err: err}
	}
	env.Cleanup("EndpointSlice "+slice.Name, func(ctx context.Context) error {
		return slices.Delete(ctx, slice.Name, metav1.DeleteOptions{})
	})
	return nil
}
