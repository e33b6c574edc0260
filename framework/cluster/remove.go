// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// settle is how long after the removal of a killed creation's containers its
// orphaned docker clients may still make one.
const settle = 2 * time.Second

// remove removes a cluster of ours: its containers, its outside, the network
// and directory that were made for it, and at last its record.
func (k *kind) remove(ctx context.Context, r record) error {
	ctx, cancel := context.WithTimeout(ctx, k.Timeouts.ClusterDown)
	defer cancel()
	err := k.steps.do("removing "+r.Name, func() error {
		if err := removeLabelled(ctx, r.Name); err != nil {
			return err
		}
		if !r.Ready {
			select {
			case <-time.After(settle):
			case <-ctx.Done():
			}
			if err := removeLabelled(ctx, r.Name); err != nil {
				return err
			}
		}
		if err := removeNetwork(ctx); err != nil {
			return err
		}
		if err := k.store.remove(r.Name); err != nil {
			return err
		}
		// While other clusters have it mounted, another directory of that name would
		// not be theirs.
		if others, err := k.store.list(""); r.MadeModules && err == nil && len(others) == 0 {
			_ = os.Remove(modulesDir) // only when it is empty, as docker made it
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove cluster %s: %w", r.Name, err)
	}
	return nil
}

// removeLabelled removes the containers that are labelled with the cluster's
// name, by kind or by us.
func removeLabelled(ctx context.Context, name string) error {
	return errors.Join(removeWith(ctx, labelKindCluster, name), removeWith(ctx, labelCluster, name))
}
