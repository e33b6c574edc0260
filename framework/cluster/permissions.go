// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	authorization "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/cniproof/cniproof/framework/config"
)

// needs is what a run cannot do without, in every namespace. Evidence is not in
// it: what may not be read is named in its manifest.
var needs = []authorization.ResourceAttributes{
	{Verb: "list", Resource: "nodes"},
	{Verb: "list", Resource: "pods"},
	{Verb: "list", Resource: "events"},
	{Verb: "list", Resource: "services"},
	{Verb: "list", Resource: "namespaces"},
	{Verb: "list", Group: "apps", Resource: "daemonsets"},
	{Verb: "list", Group: "discovery.k8s.io", Resource: "endpointslices"},
	{Verb: "create", Resource: "namespaces"},
	{Verb: "delete", Resource: "namespaces"},
	{Verb: "create", Resource: "pods"},
	{Verb: "delete", Resource: "pods"},
	{Verb: "deletecollection", Resource: "pods"},
	{Verb: "create", Resource: "pods", Subresource: "exec"},
	{Verb: "create", Resource: "services"},
	{Verb: "create", Group: "apps", Resource: "daemonsets"},
}

// mayRun returns a *config.Problem that names every permission of needs that
// the user lacks.
func mayRun(ctx context.Context, client kubernetes.Interface) error {
	allowed := make([]bool, len(needs))
	group, ctx := errgroup.WithContext(ctx)
	for i, need := range needs {
		group.Go(func() error {
			review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorization.SelfSubjectAccessReview{
				Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: &need},
			}, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("ask whether the user may %s: %w", describe(need), err)
			}
			allowed[i] = review.Status.Allowed
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		switch {
		case apierrors.IsForbidden(err):
			return &config.Problem{What: "the kubeconfig's user may not even ask what it may do", Do: "check that the context has credentials of a user of this cluster", Err: plain(err)}
		case errors.Is(err, context.Canceled):
			return err
		}
		return &config.Problem{What: "the API server did not tell what the kubeconfig's user may do", Do: "try again, and check the API server's health", Err: plain(err)}
	}
	var missing []string
	for i, need := range needs {
		if !allowed[i] {
			missing = append(missing, describe(need))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &config.Problem{
		What: "the kubeconfig's user may not " + strings.Join(missing, ", "),
		Do:   "bind a role that allows it in all namespaces (cluster-admin does)",
	}
}

// describe is verb and resource as RBAC has them, e.g. "create pods/exec".
func describe(need authorization.ResourceAttributes) string {
	resource := need.Resource
	if need.Group != "" {
		resource += "." + need.Group
	}
	if need.Subresource != "" {
		resource += "/" + need.Subresource
	}
	return need.Verb + " " + resource
}
