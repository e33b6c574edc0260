// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster/engine"
)

// Labels of containers and networks.
const (
	labelKindCluster = "io.x-k8s.kind.cluster" // set by kind on the nodes
	labelCluster     = "cniproof.io/cluster"   // ours, on containers that are no nodes
	labelNetwork     = "cniproof.io/network"   // ours, on the network kind uses
)

// container is what `docker inspect` says of one.
type container struct {
	ID    string `json:"Id"`
	Name  string
	State struct {
		Running   bool
		Status    string
		StartedAt string
	}
	Config struct {
		Image  string
		Labels map[string]string
	}
	NetworkSettings struct {
		Networks map[string]struct {
			IPAddress         string
			GlobalIPv6Address string
		}
	}
}

// addrs are its addresses on all its networks, IPv4 first.
func (c container) addrs() []netip.Addr {
	var v4, v6 []netip.Addr
	for _, network := range c.NetworkSettings.Networks {
		if addr, err := netip.ParseAddr(network.IPAddress); err == nil {
			v4 = append(v4, addr)
		}
		if addr, err := netip.ParseAddr(network.GlobalIPv6Address); err == nil {
			v6 = append(v6, addr)
		}
	}
	return append(v4, v6...)
}

// containersWith returns the containers, running or not, that have the label
// with the value.
func containersWith(ctx context.Context, label, value string) ([]container, error) {
	out, err := engine.Docker(ctx, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+label+"="+value)
	if err != nil {
		return nil, err
	}
	if out == "" {
		return nil, nil
	}
	out, err = engine.Docker(ctx, append([]string{"container", "inspect"}, strings.Fields(out)...)...)
	if err != nil {
		return nil, err
	}
	return parseContainers([]byte(out))
}

func parseContainers(text []byte) ([]container, error) {
	var all []container
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("parse what docker inspect says: %w", err)
	}
	for i := range all {
		all[i].Name = strings.TrimPrefix(all[i].Name, "/")
	}
	return all, nil
}

// removeContainers removes containers with their anonymous volumes.
func removeContainers(ctx context.Context, all []container) error {
	if len(all) == 0 {
		return nil
	}
	args := []string{"rm", "--force", "--volumes"}
	for _, c := range all {
		args = append(args, c.ID)
	}
	_, err := engine.Docker(ctx, args...)
	// Someone else, kind's library for one, may have been quicker.
	if err != nil && !strings.Contains(err.Error(), "No such container") && !strings.Contains(err.Error(), "is already in progress") {
		return err
	}
	return nil
}
