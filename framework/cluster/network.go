// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster/engine"
)

// networkName is the docker network kind puts its nodes on.
const networkName = "kind"

// ensureNetwork makes the network kind uses, where it is not there, as kind
// itself would (pkg/cluster/internal/providers/docker/network.go), but with our
// label: so it is known later that it may be removed.
func ensureNetwork(ctx context.Context) error {
	out, err := engine.Docker(ctx, "network", "ls", "--quiet", "--filter", "name=^"+networkName+"$")
	if err != nil || out != "" {
		return err
	}
	create := []string{"network", "create", "--driver", "bridge", "--label", labelNetwork + "=true",
		"--opt", "com.docker.network.bridge.enable_ip_masquerade=true"}
	// The MTU of the default network is what the administrator chose for the engine.
	if mtu, err := engine.Docker(ctx, "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.driver.mtu"}}`); err == nil && mtu != "" {
		create = append(create, "--opt", "com.docker.network.driver.mtu="+mtu)
	}
	// kind's own IPv6 range for a network of this name.
	if _, err := engine.Docker(ctx, append(create, "--ipv6", "--subnet", "fc00:f853:ccd:e793::/64", networkName)...); err == nil {
		return nil
	}
	_, err = engine.Docker(ctx, append(create, networkName)...)
	return err
}

// removeNetwork removes the network where ensureNetwork made it and nothing is
// on it any more.
func removeNetwork(ctx context.Context) error {
	ids, err := engine.Docker(ctx, "network", "ls", "--quiet", "--filter", "name=^"+networkName+"$", "--filter", "label="+labelNetwork)
	if err != nil || ids == "" {
		return err
	}
	users, err := engine.Docker(ctx, "ps", "--all", "--quiet", "--filter", "network="+networkName)
	if err != nil || users != "" {
		return err
	}
	_, err = engine.Docker(ctx, append([]string{"network", "rm"}, strings.Fields(ids)...)...)
	return err
}
