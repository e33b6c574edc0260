// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"time"
)

// Kept is one cluster of ours on this machine, as its record and its containers
// say.
type Kept struct {
	Name     string
	Topology string
	// Given is KindOptions.Name.
	Given string
	// Image is the node image it was made of.
	Image      string
	Kubeconfig string
	Created    time.Time
	// State is "running", "interrupted" (its creation did not end) or what is
	// wrong with its containers.
	State string
}

// ListKept returns the clusters of ours, sorted by name. It changes nothing and
// waits for nobody: a cluster that is being made is listed as interrupted.
func ListKept(ctx context.Context) ([]Kept, error) {
	s, err := openStore()
	if err != nil {
		return nil, err
	}
	records, err := s.list("")
	if err != nil {
		return nil, err
	}
	var all []Kept
	for _, r := range records {
		state := "running"
		if !r.Ready {
			state = "interrupted"
		} else if containers, err := containersWith(ctx, labelKindCluster, r.Name); err != nil {
			state = err.Error()
		} else if err := sameRuns(r.Containers, containers); err != nil {
			state = err.Error()
		}
		all = append(all, Kept{Name: r.Name, Topology: r.Topology, Given: r.Given, Image: r.Image, Kubeconfig: s.kubeconfig(r.Name), Created: r.Created, State: state})
	}
	return all, nil
}
