// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/cluster/engine"
)

// Labels of containers and networks.
const (
	labelKindCluster = "io.x-k8s.kind.cluster" // set by kind on the nodes
	labelKindRole    = "io.x-k8s.kind.role"
	labelCluster     = "cniproof.io/cluster" // ours, on containers that are no nodes
	labelNetwork     = "cniproof.io/network" // ours, on the network kind uses
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

// idsWith returns the IDs of the containers, running or not, that have the label
// with the value.
func idsWith(ctx context.Context, label, value string) ([]string, error) {
	out, err := engine.Docker(ctx, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+label+"="+value)
	return strings.Fields(out), err
}

// containersWith returns the containers that idsWith finds.
func containersWith(ctx context.Context, label, value string) ([]container, error) {
	for tries := 1; ; tries++ {
		ids, err := idsWith(ctx, label, value)
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		out, err := engine.Docker(ctx, append([]string{"container", "inspect"}, ids...)...)
		if err == nil {
			return parseContainers([]byte(out))
		}
		// The engine lists containers for a moment after they are gone.
		if tries == 5 || !strings.Contains(err.Error(), noSuchContainer) {
			return nil, err
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// noSuchContainer is what the engine says of one that is gone.
const noSuchContainer = "No such container"

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

// removeWith removes the containers that have the label with the value, and
// their anonymous volumes, until there is none: what was told to start may only
// appear while this goes on.
func removeWith(ctx context.Context, label, value string) error {
	return poll(ctx, func(ctx context.Context) error {
		ids, err := idsWith(ctx, label, value)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			thaw(id)
		}
		_, err = engine.Docker(ctx, append([]string{"rm", "--force", "--volumes"}, ids...)...)
		return errors.Join(err, fmt.Errorf("there were %d containers", len(ids)))
	})
}
