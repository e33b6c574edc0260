// SPDX-License-Identifier: Apache-2.0

package ipam

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/cniproof/cniproof/framework/cluster"
)

// hostLocalFiles is what grep printed on a flannel node: two leases of pods, the
// cursor of the allocator, an IPv6 lease; the file lock is empty and so absent.
const hostLocalFiles = "/var/lib/cni/networks/cbr0/10.244.1.3\x008f3d9f3a0f4b5c\r\n" +
	"/var/lib/cni/networks/cbr0/last_reserved_ip.0\x0010.244.1.4\n" +
	"/var/lib/cni/networks/cbr0/10.244.1.4\x00c0ffee\n" +
	"/run/cni-ipam-state/kindnet/fd00:10:244:1::5\x00beef\r\n"

func TestParseHostLocal(t *testing.T) {
	got := parseHostLocal([]byte(hostLocalFiles))
	want := Leases{
		netip.MustParseAddr("10.244.1.3"):       "8f3d9f3a0f4b5c",
		netip.MustParseAddr("10.244.1.4"):       "c0ffee",
		netip.MustParseAddr("fd00:10:244:1::5"): "beef",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwanted %v", got, want)
	}
}

// nodes is node access to files; a node without any cannot be reached.
type nodes map[string]string

func (n nodes) Run(_ context.Context, node string, _ cluster.Command) (cluster.Output, error) {
	out, ok := n[node]
	if !ok {
		return cluster.Output{}, errors.New("no such container")
	}
	return cluster.Output{Stdout: []byte(out)}, nil
}

func (n nodes) Describe(string, []string) string { return "" }

func TestReadLeavesOutTheNodeThatCannotBeRead(t *testing.T) {
	c := &cluster.Cluster{CNI: cluster.CNI{Kind: "flannel"}, Access: nodes{"a": hostLocalFiles, "b": ""}}
	leases, err := Read(t.Context(), c, "a", "b", "gone")
	if err == nil {
		t.Error("no error for a node that cannot be reached")
	}
	if got := slices.Sorted(maps.Keys(leases)); !slices.Equal(got, []string{"a", "b"}) || len(leases["a"]) != 3 || len(leases["b"]) != 0 {
		t.Errorf("leases %v", leases)
	}
}

func TestReadSaysWhenThereIsNoWay(t *testing.T) {
	for _, c := range []*cluster.Cluster{
		{CNI: cluster.CNI{Kind: "weave"}, Access: nodes{}},
		{CNI: cluster.CNI{Kind: "flannel"}},
	} {
		if _, err := Read(t.Context(), c, "a"); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v, wanted ErrUnknown", c.CNI.Kind, err)
		}
	}
}

// calicoBlocks has the form of `kubectl get ipamblocks -o json` of Calico 3.32:
// a tunnel's address, a pod of the block's own node, and one that a node without
// a free block borrowed.
const calicoBlocks = `{"items": [{
  "metadata": {"name": "192-168-71-0-26"},
  "spec": {
    "affinity": "host:cp", "cidr": "192.168.71.64/26", "strictAffinity": false,
    "allocations": [0, null, 1, 2, null],
    "attributes": [
      {"handle_id": "vxlan-tunnel-addr-cp", "secondary": {"node": "cp", "type": "vxlanTunnelAddress"}},
      {"handle_id": "k8s-pod-network.3eb0bbace309", "secondary": {"namespace": "demo", "node": "cp", "pod": "client-m9skz", "timestamp": "2026-11-22 14:30:11 +0000 UTC"}},
      {"handle_id": "k8s-pod-network.77aa", "secondary": {"namespace": "demo", "node": "worker", "pod": "web-1"}}
    ],
    "unallocated": [1, 4]
  }
}]}`

func TestCalicoAllocations(t *testing.T) {
	blocks, err := items[calicoBlock]([]byte(calicoBlocks))
	if err != nil {
		t.Fatal(err)
	}
	got := allocations(blocks, []string{"cp", "worker", "worker2"})
	if want := (Leases{netip.MustParseAddr("192.168.71.66"): "3eb0bbace309"}); !maps.Equal(got["cp"], want) {
		t.Errorf("cp holds %v, wanted %v", got["cp"], want)
	}
	if want := (Leases{netip.MustParseAddr("192.168.71.67"): "77aa"}); !maps.Equal(got["worker"], want) {
		t.Errorf("worker holds %v, wanted %v", got["worker"], want)
	}
	if held, ok := got["worker2"]; !ok || len(held) != 0 {
		t.Errorf("worker2 holds %v, wanted nothing", held)
	}
}

func TestNthCrossesBytes(t *testing.T) {
	for _, c := range []struct {
		prefix string
		n      int
		want   string
	}{
		{"10.1.2.0/23", 256, "10.1.3.0"},
		{"fd00::ff80/121", 128, "fd00::1:0"},
	} {
		if got := nth(netip.MustParsePrefix(c.prefix), c.n); got.String() != c.want {
			t.Errorf("%s, number %d: %s, wanted %s", c.prefix, c.n, got, c.want)
		}
	}
}

const ciliumEndpoints = `{"items": [
  {"metadata": {"namespace": "demo", "name": "web"}, "status": {"networking": {"node": "172.18.0.3", "addressing": [{"ipv4": "10.0.1.7", "ipv6": "fd00::7"}]}}},
  {"metadata": {"namespace": "demo", "name": "elsewhere"}, "status": {"networking": {"node": "172.18.0.9", "addressing": [{"ipv4": "10.0.2.7"}]}}},
  {"metadata": {"namespace": "demo", "name": "new"}, "status": {}}
]}`

func TestCiliumEndpoints(t *testing.T) {
	endpoints, err := items[ciliumEndpoint]([]byte(ciliumEndpoints))
	if err != nil {
		t.Fatal(err)
	}
	got := held(endpoints, map[netip.Addr]string{netip.MustParseAddr("172.18.0.3"): "worker"}, []string{"worker"})
	want := Leases{netip.MustParseAddr("10.0.1.7"): "demo/web", netip.MustParseAddr("fd00::7"): "demo/web"}
	if !maps.Equal(got["worker"], want) {
		t.Errorf("got %v, wanted %v", got["worker"], want)
	}
}
