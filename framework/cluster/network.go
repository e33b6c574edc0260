// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/cluster/engine"
	"github.com/cniproof/cniproof/framework/config"
)

// networkName is the docker network kind puts its nodes on.
const networkName = "kind"

// ensureNetwork makes the network kind uses, where it is not there, and makes
// sure that it has the families of a topology's pods: one that someone else made,
// or that was made while the kernel had no IPv6, may lack that.
func ensureNetwork(ctx context.Context, families []corev1.IPFamily) error {
	out, err := engine.Docker(ctx, "network", "ls", "--quiet", "--filter", "name=^"+networkName+"$")
	if err != nil {
		return err
	}
	if out == "" {
		if err := makeNetwork(ctx); err != nil {
			return err
		}
	}
	if !slices.Contains(families, corev1.IPv6Protocol) {
		return nil
	}
	has, err := engine.Docker(ctx, "network", "inspect", "--format", "{{.EnableIPv6}}", networkName)
	if err != nil {
		return err
	}
	if has != "true" {
		return &config.Problem{
			What: "it has no IPv6, which the topology needs",
			Do:   "enable IPv6 in this machine's kernel, and remove the network once nothing uses it (docker network rm " + networkName + ")",
		}
	}
	return nil
}

// makeNetwork does as kind itself would
// (pkg/cluster/internal/providers/docker/network.go), but with our label: so it
// is known later that it may be removed.
func makeNetwork(ctx context.Context) error {
	create := []string{"network", "create", "--driver", "bridge", "--label", labelNetwork + "=true",
		"--opt", "com.docker.network.bridge.enable_ip_masquerade=true"}
	// The MTU of the default network is what the administrator chose for the engine.
	if mtu, err := engine.Docker(ctx, "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.driver.mtu"}}`); err == nil && mtu != "" {
		create = append(create, "--opt", "com.docker.network.driver.mtu="+mtu)
	}
	taken, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("list the addresses of this machine: %w", err)
	}
	if _, err := engine.Docker(ctx, append(create, "--ipv6", "--subnet", freeRange(taken).String(), networkName)...); err == nil {
		return nil
	}
	// As kind does where the kernel has no IPv6.
	_, err = engine.Docker(ctx, append(create, networkName)...)
	return err
}

// kindRange is kind's own IPv6 range for a network of this name.
var kindRange = netip.MustParsePrefix("fc00:f853:ccd:e793::/64")

// freeRange is the first range from kindRange on that has none of the addresses
// that are taken. Docker looks for that in IPv4 only, and a bridge that outlived
// its engine's state would take the traffic of every other with its range.
func freeRange(taken []net.Addr) netip.Prefix {
	for bytes := kindRange.Addr().As16(); ; bytes[7]++ {
		free := netip.PrefixFrom(netip.AddrFrom16(bytes), kindRange.Bits())
		if !slices.ContainsFunc(taken, func(a net.Addr) bool {
			prefix, err := netip.ParsePrefix(a.String())
			return err == nil && free.Overlaps(prefix)
		}) {
			return free
		}
	}
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
