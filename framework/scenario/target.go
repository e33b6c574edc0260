// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"slices"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
)

// target is what the scenario may break. A cluster that is not ours is refused.
func target(c *cluster.Cluster, s Scenario) (Target, error) {
	if !c.Owned {
		return Target{}, &config.Problem{What: "cluster " + c.Name + " is not one this harness created", Do: "run scenarios on a kind cluster of ours (make scenario-" + s.Name + " makes one)"}
	}
	node, err := victim(c)
	return Target{Cluster: c, Node: node}, err
}

// victim is the node to break: the last Ready worker, so that the control plane and
// other workers stay for comparison.
func victim(c *cluster.Cluster) (string, error) {
	for _, n := range slices.Backward(c.Nodes) {
		if n.Ready && !n.ControlPlane {
			return n.Name, nil
		}
	}
	return "", errors.New("the cluster has no Ready worker to break")
}
