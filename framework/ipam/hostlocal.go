// SPDX-License-Identifier: Apache-2.0

package ipam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/cniproof/cniproof/framework/cluster"
)

// hostLocalDirs is where host-local keeps one file per lease: its default, and
// kindnet's. From containernetworking/plugins/plugins/ipam/host-local/backend/disk.
var hostLocalDirs = []string{"/var/lib/cni/networks", "/run/cni-ipam-state"}

// atOnce is how many nodes are asked at the same time.
const atOnce = 32

// hostLocalLeases reads the lease files of each node in one command that prints
// "file NUL first line" for each.
func hostLocalLeases(ctx context.Context, c *cluster.Cluster, nodes []string) (map[string]Leases, error) {
	argv := append([]string{"grep", "--recursive", "--no-messages", "--with-filename", "--null", "--max-count=1", ""}, hostLocalDirs...)
	leases := map[string]Leases{}
	var errs []error
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, node := range nodes {
		group.Go(func() error {
			out, err := c.Access.Run(ctx, node, cluster.Command{Argv: argv})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("read host-local's leases on %s: %w", node, err))
				return nil
			}
			leases[node] = parseHostLocal(out.Stdout)
			return nil
		})
	}
	_ = group.Wait()
	return leases, errors.Join(errs...)
}

// parseHostLocal reads the output of that command. A lease is a file named by
// its address whose first line is the sandbox's ID; the rest of the directory
// (last_reserved_ip.0, lock) is not named by an address.
func parseHostLocal(out []byte) Leases {
	leases := Leases{}
	for line := range bytes.Lines(out) {
		file, holder, ok := strings.Cut(string(line), "\x00")
		if !ok {
			continue
		}
		if addr, err := netip.ParseAddr(path.Base(file)); err == nil {
			leases[addr] = strings.TrimSpace(holder)
		}
	}
	return leases
}
